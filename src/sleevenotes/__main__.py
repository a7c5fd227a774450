"""`python -m sleevenotes` and `sleevenotes` are the command line."""

import sys

INTERRUPTED = 130  # the exit code after Ctrl-C


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, also while its modules are still being loaded."""
    try:
        from sleevenotes.cli import main as run
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
