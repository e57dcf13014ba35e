// The part of noVNC's interface that the page uses (see docs/API.md of @novnc/novnc).
declare module "@novnc/novnc" {
  export default class RFB extends EventTarget {
    constructor(target: Element, url: string, options?: { shared?: boolean; wsProtocols?: string[] });
    background: string;
    focusOnClick: boolean;
    scaleViewport: boolean;
    viewOnly: boolean;
    blur(): void;
    disconnect(): void;
    focus(): void;
  }
}
