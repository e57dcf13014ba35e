// Two columns with a splitter between them, the left one with the terminals below the desktop; on a narrow window three
// tabs.
import { byId } from "./dom.js";
import { stored, store } from "./stored.js";

const leastChatPx = 320;
const leastDesktopPx = 420;
const leastTerminalPx = 120;
const leastStagePx = 160;
const stepPx = 24;
const narrow = "(max-width: 820px)"; // As in app.css.

/** `openTerminals` shows what is in the panel of the terminals, and moves the focus there if it is told to. */
export function startLayout(openTerminals: (focus: boolean) => void): void {
  const columns = byId("columns");
  const left = byId("left");
  startSplitter({
    splitter: byId("splitter"),
    panel: byId("chat-panel"),
    name: "chat-width",
    least: leastChatPx,
    most: () => columns.clientWidth - leastDesktopPx,
    grow: "ArrowLeft",
    shrink: "ArrowRight",
    sizeAt: (event) => columns.getBoundingClientRect().right - event.clientX,
    sizeOf: (panel) => panel.clientWidth,
  });
  startSplitter({
    splitter: byId("terminal-splitter"),
    panel: byId("terminal-panel"),
    name: "terminal-height",
    least: leastTerminalPx,
    most: () => left.clientHeight - leastStagePx,
    grow: "ArrowUp",
    shrink: "ArrowDown",
    sizeAt: (event) => left.getBoundingClientRect().bottom - event.clientY,
    sizeOf: (panel) => panel.clientHeight,
  });
  startTerminals(openTerminals);
}

interface Split {
  splitter: HTMLElement;
  /** The one whose size is set, as the custom property `name`, and remembered under it. */
  panel: HTMLElement;
  name: string;
  least: number;
  most: () => number;
  grow: string;
  shrink: string;
  sizeAt: (event: PointerEvent) => number;
  sizeOf: (panel: HTMLElement) => number;
}

function startSplitter({ splitter, panel, name, least, most: room, grow, shrink, sizeAt, sizeOf }: Split): void {
  const columns = byId("columns");
  const most = () => Math.max(least, room());
  const describe = () => {
    splitter.setAttribute("aria-valuemin", String(least));
    splitter.setAttribute("aria-valuemax", String(most()));
    splitter.setAttribute("aria-valuenow", String(Math.round(sizeOf(panel))));
  };
  const resize = (size: number) => {
    const px = Math.round(Math.min(Math.max(size, least), most()));
    columns.style.setProperty(`--${name}`, `${px}px`);
    store(name, String(px));
    describe();
  };

  const before = Number(stored(name));
  if (before > 0) columns.style.setProperty(`--${name}`, `${before}px`);
  new ResizeObserver(describe).observe(panel);

  splitter.addEventListener("pointerdown", (down) => {
    splitter.setPointerCapture(down.pointerId);
    const move = (event: PointerEvent) => resize(sizeAt(event));
    splitter.addEventListener("pointermove", move);
    splitter.addEventListener("lostpointercapture", () => splitter.removeEventListener("pointermove", move), { once: true });
  });
  splitter.addEventListener("dblclick", () => {
    columns.style.removeProperty(`--${name}`);
    store(name, "");
  });
  splitter.addEventListener("keydown", (event) => {
    const sizes: Record<string, number> = {
      [grow]: sizeOf(panel) + stepPx,
      [shrink]: sizeOf(panel) - stepPx,
      Home: least,
      End: most(),
    };
    const size = sizes[event.key];
    if (size === undefined) return;
    event.preventDefault();
    resize(size);
  });
}

function startTerminals(open: (focus: boolean) => void): void {
  const toggle = byId("terminal-toggle");
  const panel = byId("terminal-panel");
  const show = (shown: boolean, focus: boolean) => {
    panel.hidden = !shown;
    byId("terminal-splitter").hidden = !shown;
    toggle.setAttribute("aria-expanded", String(shown));
    store("terminal-panel", shown ? "open" : "");
    if (shown) open(focus);
  };
  toggle.addEventListener("click", () => show(panel.hidden, true));
  byId("terminal-hide").addEventListener("click", () => {
    show(false, false);
    toggle.focus();
  });
  if (stored("terminal-panel") === "open") show(true, false);
  startTabs(() => show(true, true));
}

function startTabs(openTerminals: () => void): void {
  const tabs = [byId("tab-desktop"), byId("tab-chat"), byId("tab-terminal")];
  const panels = [byId("desktop-panel"), byId("chat-panel"), byId("terminal-panel")];
  const query = matchMedia(narrow);
  let selected = 1;

  const show = () => {
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === selected));
      tab.tabIndex = index === selected ? 0 : -1;
      panels[index]?.classList.toggle("unselected", index !== selected);
      if (query.matches) panels[index]?.setAttribute("role", "tabpanel");
      else panels[index]?.removeAttribute("role");
    });
  };
  const select = (index: number) => {
    selected = (index + tabs.length) % tabs.length;
    show();
    if (panels[selected]?.id === "terminal-panel") openTerminals();
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => select(index));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      select(index + (event.key === "ArrowLeft" ? -1 : 1));
      tabs[selected]?.focus();
    });
  });
  query.addEventListener("change", show);
  show();
}
