// The terminal library, in a bundle of its own (dist/xterm.js, dist/xterm.css) that is loaded when the first terminal is
// opened.
import "@xterm/xterm/css/xterm.css";

export { FitAddon } from "@xterm/addon-fit";
export { Terminal } from "@xterm/xterm";
