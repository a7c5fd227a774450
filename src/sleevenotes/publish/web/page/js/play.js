// Guess the genre: ten covers that the model did not learn from, against the model and against guessing.

import { address, api, part } from "./api.js";
import { count, el, keep, kept, percent, problem, put, say, swatch } from "./dom.js";

const MOST_NAME = 40; // characters of a nickname
const PATIENCE = 60; // tries to bring an answer home, a few seconds apart
const ROUND = "round"; // kept while this tab is open
const PENDING = "answer on its way";

class Play {
  constructor(root) {
    this.root = root;
    this.state = null;
    this.busy = false;
    this.stopped = new AbortController();
    this.onKey = (event) => this.key(event);
    this.heading = el("h1", { tabindex: "-1" }, "Guess the genre");
    this.stage = el("div", { class: "play-stage" });
    this.news = el("div", { class: "play-news", "aria-live": "polite" });
    put(root, this.heading, this.stage, this.news);
  }

  async open() {
    window.addEventListener("keydown", this.onKey);
    const round = kept(ROUND, "sessionStorage");
    if (!round) {
      this.welcome();
      return;
    }
    put(this.stage, el("p", { class: "waiting" }, "Going on where you were …"));
    try {
      await this.goOn(round);
    } catch (error) {
      if (error.status === 404) {
        keep(ROUND, null, "sessionStorage"); // of another server, or another dataset
        keep(PENDING, null, "sessionStorage");
        this.welcome();
      } else this.trouble(error, () => this.open());
    }
  }

  close() {
    this.stopped.abort();
    window.removeEventListener("keydown", this.onKey);
  }

  show(view) {
    this.view = view;
    this.root.dataset.view = view;
  }

  get patient() {
    return { signal: this.stopped.signal, patience: PATIENCE, onWait: (error, wait_s) => this.waits(error, wait_s) };
  }

  waits(error, wait_s) {
    put(this.news, el("p", { class: "quiet" }, `${error.sentence} Trying again in ${Math.round(wait_s)} s; nothing is lost.`));
  }

  trouble(error, again) {
    if (error?.name === "AbortError") return;
    put(this.news, problem(error), again && el("button", { class: "button small", type: "button", on: { click: () => {
      put(this.news);
      again();
    } } }, "Try again"));
  }

  /** Before a round: who plays, and what it is. */
  welcome() {
    this.state = null;
    this.show("welcome");
    const name = el("input", { type: "text", maxlength: String(MOST_NAME), autocomplete: "nickname", required: true, name: "nickname", value: kept("nickname") ?? "" });
    const start = el("button", { class: "button main", type: "submit" }, "Play ten covers");
    const form = el("form", { class: "play-form", on: { submit: (event) => {
      event.preventDefault();
      this.start(name.value.trim(), start);
    } } },
    el("label", { class: "field" }, "Your nickname", name),
    el("p", { class: "quiet" }, "It is all that is kept of you, beside your guesses. No account, no address."),
    start);
    const link = el("div", { class: "play-link" });
    put(this.heading, "Guess the genre");
    put(this.stage, el("div", { class: "play-welcome" },
      el("div", { class: "play-front", "aria-hidden": "true" }, el("span", { class: "play-disc" })),
      el("div", { class: "play-start" },
        el("p", { class: "play-lead" }, "Ten covers, no names. You say the genre; so did the model, which never saw them before either. Then you both hear the truth."),
        form, put(link, invitation()))));
    this.standing(link);
  }

  async standing(after) {
    try {
      const words = standingWords(await api.get("/game/standing", { signal: this.stopped.signal }));
      if (words) after.before(el("p", { class: "play-standing" }, words));
    } catch (error) {
      this.trouble(error);
    }
  }

  async start(nickname, button) {
    if (!nickname || this.busy) return;
    this.busy = true;
    button.disabled = true;
    keep("nickname", nickname);
    try {
      const { round } = await api.post("/game/rounds", { nickname }, this.patient);
      keep(ROUND, round, "sessionStorage");
      keep(PENDING, null, "sessionStorage");
      await this.goOn(round);
    } catch (error) {
      this.trouble(error);
    } finally {
      this.busy = false;
      button.disabled = false;
    }
  }

  /** Take up a round as the server has it; an answer that was on its way is sent once more. */
  async goOn(round) {
    this.state = await api.get(`/game/rounds/${part(round)}`, this.patient);
    this.genres = this.state.genres ?? (await api.get("/genres", this.patient)).genres.map(({ genre }) => genre);
    put(this.news);
    const pending = kept(PENDING, "sessionStorage");
    const known = this.state.answers.some(({ number }) => number === pending?.number);
    if (pending?.round === round && !known) {
      this.ask(pending.number);
      this.answer(pending.genre);
    } else if (this.state.done) this.result();
    else this.ask(this.state.number);
  }

  /** Show a cover and the genres. */
  ask(number) {
    this.show("ask");
    this.number = number;
    put(this.heading, `Cover ${number} of ${this.state.covers}`);
    this.buttons = this.genres.map((genre, at) =>
      el("button", { class: "play-genre", type: "button", data: { genre }, "aria-keyshortcuts": shortcut(at), on: { click: () => this.answer(genre) } },
        el("span", { class: "play-key", "aria-hidden": "true" }, shortcut(at)), el("span", { class: "play-word" }, genre), el("span", { class: "play-mark" })));
    this.verdict = el("div", { class: "play-verdict" });
    this.score = el("div", { class: "play-score" });
    put(this.stage, el("div", { class: "play-grid" },
      el("div", { class: "square sleeve play-cover" },
        el("img", { alt: `Cover ${number}, whose genre is asked for`, src: this.picture(number), on: { error: (event) => this.pictureLost(event.target, number) } })),
      el("div", { class: "play-side" },
        el("div", { class: "play-genres", role: "group", "aria-label": "Which genre is it?" }, this.buttons), this.verdict, this.score)));
    this.tally();
    this.ahead(number + 1);
    this.heading.focus({ preventScroll: true });
  }

  picture(number) {
    return address(`/game/rounds/${part(this.state.round)}/covers/${number}/image`);
  }

  /** A cover that did not come is asked for again; the address is another, or the browser would remember that it failed. */
  pictureLost(image, number) {
    const tries = Number(image.dataset.tries ?? 0) + 1;
    if (tries > PATIENCE) return;
    image.dataset.tries = String(tries);
    setTimeout(() => {
      if (image.isConnected) image.src = `${this.picture(number)}?again=${tries}`;
    }, 2000);
  }

  ahead(number) {
    if (number <= this.state.covers) new Image().src = this.picture(number);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
    const at = event.key === "0" ? 9 : Number(event.key) - 1;
    if (this.view === "ask" && this.genres[at] && !this.busy) this.answer(this.genres[at]);
    else return;
    event.preventDefault();
  }

  /** Send an answer until it is home. It is kept in this tab meanwhile, so that neither a reload nor a lost line loses it. */
  async answer(genre) {
    if (this.busy) return;
    this.busy = true;
    const { round } = this.state;
    const number = this.number;
    keep(PENDING, { round, number, genre }, "sessionStorage");
    for (const button of this.buttons) {
      button.setAttribute("aria-disabled", "true");
      button.classList.toggle("chosen", button.dataset.genre === genre);
    }
    try {
      const found = await api.post(`/game/rounds/${part(round)}/answers`, { number, genre }, this.patient);
      this.home(found);
    } catch (error) {
      if (error.kind === "conflict") {
        keep(PENDING, null, "sessionStorage"); // answered in another tab: that answer counts
        await this.goOn(round).catch((worse) => this.trouble(worse));
      }
      this.trouble(error, error.kind === "conflict" ? null : () => this.answer(genre));
    } finally {
      this.busy = false;
    }
  }

  home({ score, ...found }) {
    const answer = found.answer ?? found;
    keep(PENDING, null, "sessionStorage");
    put(this.news);
    this.state.answers.push(answer);
    this.state.score = score ?? this.state.score;
    this.state.done = this.state.answers.length >= this.state.covers;
    this.view = "told"; // the screen stays as it is
    this.reveal(answer);
    this.tally();
  }

  reveal(answer) {
    const truth = new Set(answer.truth);
    for (const button of this.buttons) {
      const { genre } = button.dataset;
      const marks = [truth.has(genre) && "the truth", genre === answer.genre && "you", genre === answer.model?.genre && "the model"].filter(Boolean);
      button.classList.toggle("true", truth.has(genre));
      button.classList.toggle("wrong", genre === answer.genre && !answer.right);
      put(button.querySelector(".play-mark"), marks.join(", "));
    }
    const last = this.state.done;
    const next = el("button", { class: "button main play-next", type: "button", on: { click: () => (last ? this.result() : this.ask(this.number + 1)) } },
      last ? "See how it went" : "Next cover");
    put(this.verdict, el("p", { class: `play-shout ${answer.right ? "good" : "bad"}` }, answer.right ? "Right." : "Not quite."), el("p", null, told(answer)), next);
    say(`${answer.right ? "Right." : "Not quite."} ${told(answer)}`);
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  tally() {
    const { score, answers } = this.state;
    put(this.score, answers.length ? scores(score, answers.length) : null);
  }

  /** After ten covers: how it went, and what people came to so far. */
  result() {
    this.show("result");
    const { score, answers, covers, nickname } = this.state;
    keep(ROUND, null, "sessionStorage");
    put(this.heading, `${score.right} of ${covers}`);
    const again = el("button", { class: "button main", type: "button", on: { click: () => this.start(nickname, again) } }, "Play again");
    const other = el("button", { class: "button", type: "button", on: { click: () => this.welcome() } }, "Someone else plays");
    const link = el("div", { class: "play-link" });
    put(this.stage, el("div", { class: "play-result" },
      el("p", { class: "play-lead" }, compared(score, covers)), scores(score, covers),
      el("ol", { class: "play-answers" }, [...answers].sort((a, b) => a.number - b.number).map((answer) =>
        el("li", { class: answer.right ? "good" : "bad" },
          el("span", { class: "square" }, el("img", { alt: `Cover ${answer.number}`, src: this.picture(answer.number) })),
          el("span", { class: "play-truth" }, answer.truth.map((genre) => el("span", null, swatch(genre), " ", genre))),
          el("span", { class: "quiet" }, answer.right ? "right" : `you said ${answer.genre}`)))),
      el("div", { class: "play-buttons" }, again, other), put(link, invitation())));
    this.standing(link);
    this.heading.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    say(`${score.right} of ${covers}. ${compared(score, covers)}`);
  }
}

function shortcut(at) {
  return at < 9 ? String(at + 1) : at === 9 ? "0" : "";
}

function told({ truth, genre, right, model }) {
  const words = right ? `It is ${truth.join(" and ")}.` : `You said ${genre}; it is ${truth.join(" and ")}.`;
  if (!model) return words;
  const how = model.right ? "and was right" : "and was wrong";
  return `${words} The model said ${model.genre} (${percent(model.proba)}), ${how}.`;
}

/** How many each has right so far. */
function scores({ right, model, guessing }, of) {
  const each = (name, value, words) => el("div", { class: "play-count" }, el("dt", null, name), el("dd", null, words), el("dd", { class: "play-gauge", "aria-hidden": "true" },
    el("span", { style: { transform: `scaleX(${of ? value / of : 0})` } })));
  return el("dl", { class: "play-counts" },
    each("You", right, `${right} of ${of}`), model === null ? null : each("The model", model, `${model} of ${of}`),
    each("Guessing", guessing, `${guessing} of ${of}`));
}

function compared({ right, model, guessing }, of) {
  const luck = right > guessing ? "" : " Always naming the commonest genre would have done as well.";
  if (model === null) return `One round says little of you; each makes the figure of all players surer.${luck}`;
  const against = right > model ? "You did better than the model" : right < model ? "The model did better" : "You and the model are level";
  return `${against}, ${right} to ${model}. One round says little of either; each makes the figure of all players surer.${luck}`;
}

function invitation() {
  const link = new URL("#/play", location.href.split("#")[0].split("?")[0]).href;
  const here = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
  const copy = navigator.clipboard && el("button", { class: "button small", type: "button", on: { click: () => {
    navigator.clipboard.writeText(link).then(() => say("The link is copied"), () => say("The browser did not copy it: copy it by hand"));
  } } }, "Copy the link");
  return [el("h2", null, "Play with a class"),
    el("p", { class: "play-address" }, el("code", null, link), " ", copy),
    el("p", { class: "quiet" }, here
      ? ["This address works on this machine alone. For others, start it with ", el("code", null, "--host 0.0.0.0 --token WORD"), " and give them the address with this machine's name, and ", el("code", null, "?token=WORD"), " before the #."]
      : ["Where the server asks for a token, put ", el("code", null, "?token=WORD"), " before the #."])];
}

/** What people came to so far, in a sentence; null where nobody has played. */
function standingWords(standing) {
  const { people, model, guessing, players, words } = standing;
  if (!players) return null;
  const others = [model && `the model ${figure(model)}`, `guessing ${figure(guessing)}`].filter(Boolean).join(", ");
  return `So far ${count(players, "player")}, ${count(people.n, "answer")}: people are right ${figure(people)} of the time, ${others}. ${words}`;
}

function figure({ value, low, high, too_few: few }) {
  if (low === null) return few ? `${percent(value)} (too few answers)` : percent(value);
  return `${percent(value)} (${percent(low)} to ${percent(high)})`;
}

let here = null;

export default {
  title: "Play",
  mount(root) {
    here = new Play(root);
    here.open();
  },
  update() {},
  unmount() {
    here?.close();
    here = null;
  },
};
