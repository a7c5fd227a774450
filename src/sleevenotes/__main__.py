"""`python -m sleevenotes` is the command line."""

from sleevenotes.cli import main

if __name__ == "__main__":
    main()
