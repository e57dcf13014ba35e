// One picture, large. Escape closes it, the arrow keys go to the neighbours.
import { byId, h } from "./dom.js";
import { icon } from "./icons.js";

export interface LightboxPicture {
  url: string;
  caption: string;
}

/** Opens the picture at `index` of `pictures`. */
export function openLightbox(pictures: LightboxPicture[], index: number): void {
  const dialog = byId<HTMLDialogElement>("lightbox");
  const image = h("img", { alt: "" });
  const caption = h("figcaption");
  const original = h(
    "a",
    { target: "_blank", rel: "noopener", class: "icon-button", "aria-label": "Open in a new tab", title: "Open in a new tab" },
    icon("open"),
  );
  const step = (by: number) => show(index + by);
  const button = (name: "left" | "right" | "cross", label: string, action: () => void) =>
    h(
      "button",
      { type: "button", class: "icon-button", "aria-label": label, title: label, onclick: action },
      icon(name),
    );
  const previous = button("left", "Previous picture", () => step(-1));
  const next = button("right", "Next picture", () => step(1));
  const close = button("cross", "Close", () => dialog.close());

  const show = (at: number) => {
    const picture = pictures[at];
    if (!picture) return;
    index = at;
    image.src = picture.url;
    image.alt = picture.caption;
    original.href = picture.url;
    const place = pictures.length > 1 ? ` · ${at + 1} of ${pictures.length}` : "";
    caption.textContent = picture.caption + place;
    previous.disabled = at === 0;
    next.disabled = at === pictures.length - 1;
  };

  dialog.replaceChildren(
    h(
      "figure",
      {},
      h("div", { class: "lightbox-head" }, caption, previous, next, original, close),
      h("div", { class: "lightbox-picture" }, image),
    ),
  );
  dialog.onclick = (event) => {
    const target = event.target as HTMLElement;
    if (target === dialog || target.classList.contains("lightbox-picture")) dialog.close();
  };
  dialog.onkeydown = (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  };
  dialog.onclose = () => dialog.replaceChildren();
  show(index);
  dialog.showModal();
  close.focus();
}
