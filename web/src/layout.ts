// Two columns with a splitter between them; on a narrow window two tabs.
import { byId } from "./dom.js";
import { stored, store } from "./stored.js";

const leastChatPx = 320;
const leastDesktopPx = 420;
const stepPx = 24;
const narrow = "(max-width: 820px)"; // As in app.css.

export function startLayout(): void {
  startSplitter();
  startTabs();
}

function startSplitter(): void {
  const columns = byId("columns");
  const splitter = byId("splitter");
  const chat = byId("chat-panel");

  const most = () => Math.max(leastChatPx, columns.clientWidth - leastDesktopPx);
  const describe = () => {
    splitter.setAttribute("aria-valuemin", String(leastChatPx));
    splitter.setAttribute("aria-valuemax", String(most()));
    splitter.setAttribute("aria-valuenow", String(Math.round(chat.clientWidth)));
  };
  const resize = (width: number) => {
    const px = Math.round(Math.min(Math.max(width, leastChatPx), most()));
    columns.style.setProperty("--chat-width", `${px}px`);
    store("chat-width", String(px));
    describe();
  };

  const before = Number(stored("chat-width"));
  if (before > 0) columns.style.setProperty("--chat-width", `${before}px`);
  new ResizeObserver(describe).observe(chat);

  splitter.addEventListener("pointerdown", (down) => {
    splitter.setPointerCapture(down.pointerId);
    const move = (event: PointerEvent) => resize(columns.getBoundingClientRect().right - event.clientX);
    splitter.addEventListener("pointermove", move);
    splitter.addEventListener(
      "lostpointercapture",
      () => splitter.removeEventListener("pointermove", move),
      { once: true },
    );
  });
  splitter.addEventListener("dblclick", () => {
    columns.style.removeProperty("--chat-width");
    store("chat-width", "");
  });
  splitter.addEventListener("keydown", (event) => {
    const sizes: Record<string, number> = {
      ArrowLeft: chat.clientWidth + stepPx,
      ArrowRight: chat.clientWidth - stepPx,
      Home: leastChatPx,
      End: most(),
    };
    const size = sizes[event.key];
    if (size === undefined) return;
    event.preventDefault();
    resize(size);
  });
}

function startTabs(): void {
  const tabs = [byId("tab-desktop"), byId("tab-chat")];
  const panels = [byId("desktop-panel"), byId("chat-panel")];
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
    selected = index;
    show();
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => select(index));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      select(1 - index);
      tabs[selected]?.focus();
    });
  });
  query.addEventListener("change", show);
  show();
}
