// Light, dark, or what the system says.
import { byId } from "./dom.js";
import { icon, type IconName } from "./icons.js";
import { stored, store } from "./stored.js";

const themes = ["system", "light", "dark"] as const;
type Theme = (typeof themes)[number];

const icons: Record<Theme, IconName> = { system: "system", light: "sun", dark: "moon" };

export function startTheme(): void {
  const button = byId<HTMLButtonElement>("theme");
  let theme = themes.find((name) => name === stored("theme")) ?? "system";
  const show = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.replaceChildren(icon(icons[theme]));
    button.title = `Theme: ${theme}`;
    button.setAttribute("aria-label", `Theme: ${theme}. Switch to the next one`);
  };
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "system";
    store("theme", theme);
    show();
  });
  show();
}
