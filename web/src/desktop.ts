// The live desktop: noVNC in the stage, who has the keyboard, and coming back after every loss.
//
// noVNC sends every key to the desktop while its canvas has the focus, Tab and Escape too. The canvas is not in the
// tab order, so the keyboard enters only by a click or by the button, and leaves with Ctrl+Alt+Shift, which no
// desktop needs by itself.
import RFB from "@novnc/novnc";
import * as api from "./api.js";
import { Backoff } from "./backoff.js";
import { byId, h, setText } from "./dom.js";
import { icon } from "./icons.js";
import type { State } from "./wire.js";

type Phase = "connecting" | "live" | "lost" | "unavailable" | "off";

export class Desktop {
  private rfb: RFB | undefined;
  private phase: Phase = "off";
  private screen: State["screen"] | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private everLive = false;
  private watchOnly = false;
  private readonly backoff = new Backoff(400, 8_000);

  private readonly stage = byId("desktop-stage");
  private readonly target = byId("desktop-screen");
  private readonly overlay = byId("desktop-overlay");
  private readonly status = byId("desktop-status");
  private readonly hint = byId("desktop-hint");
  private readonly keyboardButton = byId<HTMLButtonElement>("desktop-keyboard");
  private readonly watchButton = byId<HTMLButtonElement>("desktop-watch");

  /** `lost` is called after each failed or ended connection: the cause is known to /api/state only. */
  constructor(private readonly lost: () => void) {
    this.stage.addEventListener("focusin", () => this.showKeyboard());
    this.stage.addEventListener("focusout", () => {
      releaseHeldKeys();
      this.showKeyboard();
    });
    this.stage.addEventListener("keydown", (event) => this.watchForRelease(event), { capture: true });
    // Keeps the focus where it is, so that the click still knows who has the keyboard.
    this.keyboardButton.addEventListener("pointerdown", (event) => event.preventDefault());
    this.keyboardButton.addEventListener("click", () => {
      if (this.hasKeyboard()) this.release();
      else this.rfb?.focus();
    });
    this.watchButton.addEventListener("click", () => this.setWatchOnly(!this.watchOnly));
    byId("desktop-expand").addEventListener("click", () => {
      if (document.fullscreenElement) void document.exitFullscreen();
      else void byId("desktop-panel").requestFullscreen?.().catch(() => {});
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.retryNow();
    });
    this.showKeyboard();
  }

  start(): void {
    if (this.phase === "off") this.connect();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.phase = "off";
    this.rfb?.disconnect();
    this.rfb = undefined;
  }

  /** Connects again at once unless the desktop is live or just being connected. */
  retryNow(): void {
    if (this.phase !== "lost" && this.phase !== "unavailable") return;
    this.backoff.reset();
    this.connect();
  }

  setScreen(screen: State["screen"]): void {
    const cameBack = screen.available && this.screen?.available === false;
    this.screen = screen;
    if (this.phase === "lost" && !screen.available) this.phase = "unavailable";
    else if (this.phase === "unavailable" && screen.available) this.phase = "lost";
    this.show();
    if (cameBack) this.retryNow();
  }

  private connect(): void {
    clearTimeout(this.timer);
    this.phase = this.screen?.available === false ? "unavailable" : "connecting";
    this.show();
    let rfb: RFB;
    try {
      rfb = new RFB(this.target, api.desktopUrl(), { shared: true, wsProtocols: ["binary"] });
    } catch {
      this.disconnected();
      return;
    }
    this.rfb = rfb;
    rfb.scaleViewport = true;
    rfb.background = "transparent";
    this.applyWatchOnly(rfb);
    rfb.addEventListener("connect", () => {
      if (this.rfb !== rfb) return;
      this.backoff.reset();
      this.phase = "live";
      this.everLive = true;
      this.show();
    });
    rfb.addEventListener("disconnect", () => {
      if (this.rfb === rfb) this.disconnected();
    });
    rfb.addEventListener("securityfailure", () => rfb.disconnect());
    rfb.addEventListener("credentialsrequired", () => rfb.disconnect());
  }

  private disconnected(): void {
    this.rfb = undefined;
    this.phase = this.screen?.available === false ? "unavailable" : "lost";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), this.backoff.next());
    this.show();
    this.showKeyboard();
    this.lost();
  }

  private show(): void {
    const live = this.phase === "live";
    const { width, height } = this.screen ?? { width: 0, height: 0 };
    this.status.dataset.state = live ? "good" : this.phase === "connecting" ? "waiting" : "bad";
    const words: Record<Phase, string> = {
      live: width > 0 ? `Live · ${width}×${height}` : "Live",
      connecting: "Connecting…",
      lost: "Reconnecting…",
      unavailable: "Unavailable",
      off: "",
    };
    if (this.status.lastElementChild) setText(this.status.lastElementChild, words[this.phase]);
    this.keyboardButton.disabled = !live || this.watchOnly;
    this.showOverlay();
  }

  private showOverlay(): void {
    this.overlay.hidden = this.phase === "live" || this.phase === "off";
    // Attempts follow each other quickly: what the overlay says must not flicker with them.
    const key = this.phase === "connecting" && this.everLive ? "lost" : this.phase;
    const shown = `${key} ${this.screen?.error ?? ""}`;
    if (this.overlay.hidden || this.overlay.dataset.shown === shown) return;
    this.overlay.dataset.shown = shown;
    const retry = h(
      "button",
      { type: "button", class: "button", onclick: () => this.retryNow() },
      "Try again now",
    );
    if (key === "unavailable") {
      this.overlay.replaceChildren(
        icon("unplugged"),
        h("h3", {}, "The display is not available"),
        h("p", {}, this.screen?.error || "The daemon has no X display to show."),
        retry,
      );
    } else if (key === "lost") {
      this.overlay.replaceChildren(
        h("span", { class: "spinner", "aria-hidden": "true" }),
        h("h3", {}, "Reconnecting to the desktop"),
        h("p", {}, "The picture comes back by itself as soon as the desktop answers."),
        retry,
      );
    } else {
      this.overlay.replaceChildren(
        h("span", { class: "spinner", "aria-hidden": "true" }),
        h("h3", {}, "Connecting to the desktop"),
      );
    }
  }

  private hasKeyboard(): boolean {
    return !this.watchOnly && this.target.contains(document.activeElement);
  }

  private release(): void {
    this.rfb?.blur();
    this.keyboardButton.focus();
  }

  private watchForRelease(event: KeyboardEvent): void {
    const modifier = ["Control", "Alt", "AltGraph", "Meta", "Shift"].includes(event.key);
    if (!modifier || !event.ctrlKey || !event.shiftKey || !(event.altKey || event.key === "Meta")) return;
    event.preventDefault();
    event.stopPropagation();
    this.release();
  }

  private showKeyboard(): void {
    const taken = this.hasKeyboard();
    this.hint.hidden = !taken;
    this.stage.classList.toggle("has-keyboard", taken);
    this.keyboardButton.setAttribute("aria-pressed", String(taken));
    this.keyboardButton.title = taken
      ? "Give the keyboard back to the page (Ctrl+Alt+Shift)"
      : "Send what you type to the desktop";
    if (this.keyboardButton.lastElementChild) {
      setText(this.keyboardButton.lastElementChild, taken ? "Release keyboard" : "Use keyboard");
    }
  }

  private setWatchOnly(on: boolean): void {
    if (on && this.hasKeyboard()) this.rfb?.blur();
    this.watchOnly = on;
    this.watchButton.setAttribute("aria-pressed", String(on));
    if (this.rfb) this.applyWatchOnly(this.rfb);
    this.show();
  }

  private applyWatchOnly(rfb: RFB): void {
    rfb.viewOnly = this.watchOnly;
    rfb.focusOnClick = !this.watchOnly;
  }
}

/** noVNC releases the keys that it holds down when the window loses the focus, but not when its canvas does. */
function releaseHeldKeys(): void {
  window.dispatchEvent(new FocusEvent("blur"));
}
