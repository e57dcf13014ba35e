// A desktop of one colour: the smallest RFB 3.8 server that a viewer can connect to (RFC 6143).
// It keeps the key and pointer events that it receives.

const width = 640;
const height = 400;

/** Serves RFB on an open WebSocket; `received` gets {key, down} and {x, y, buttons}. */
export function serveRfb(socket, received) {
  let buffer = Buffer.alloc(0);
  let step = "version";
  socket.send(Buffer.from("RFB 003.008\n"));
  socket.on("message", (bytes) => {
    buffer = Buffer.concat([buffer, bytes]);
    for (let size = consume(); size > 0; size = consume()) buffer = buffer.subarray(size);
  });

  /** Handles the message at the start of the buffer and returns its length, 0 when it is incomplete. */
  function consume() {
    if (step === "version") return need(12, () => reply("security", [1, 1]));
    if (step === "security") return need(1, () => reply("init", [0, 0, 0, 0]));
    if (step === "init") return need(1, () => reply("messages", serverInit()));
    if (buffer.length === 0) return 0;
    switch (buffer[0]) {
      case 0: // SetPixelFormat
        return need(20);
      case 2: // SetEncodings
        return buffer.length < 4 ? 0 : need(4 + 4 * buffer.readUInt16BE(2));
      case 3: // FramebufferUpdateRequest; incremental ones are left waiting, nothing changes here
        return need(10, () => buffer[1] === 0 && socket.send(picture()));
      case 4: // KeyEvent
        return need(8, () => received.push({ key: buffer.readUInt32BE(4), down: buffer[1] === 1 }));
      case 5: // PointerEvent
        return need(6, () =>
          received.push({ x: buffer.readUInt16BE(2), y: buffer.readUInt16BE(4), buttons: buffer[1] }),
        );
      case 6: // ClientCutText
        return buffer.length < 8 ? 0 : need(8 + Math.abs(buffer.readInt32BE(4)));
      default:
        socket.close();
        return 0;
    }
  }

  function need(size, act) {
    if (buffer.length < size) return 0;
    act?.();
    return size;
  }

  function reply(next, bytes) {
    step = next;
    socket.send(Buffer.from(bytes));
  }
}

function serverInit() {
  const name = Buffer.from("fake");
  const head = Buffer.alloc(24);
  head.writeUInt16BE(width, 0);
  head.writeUInt16BE(height, 2);
  // 32 bits, depth 24, little endian, true colour, 8 bits each, shifts 16, 8, 0.
  Buffer.from([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0]).copy(head, 4);
  head.writeUInt32BE(name.length, 20);
  return Buffer.concat([head, name]);
}

function picture() {
  const head = Buffer.alloc(16);
  head.writeUInt16BE(1, 2); // one rectangle, in the Raw encoding
  head.writeUInt16BE(width, 8);
  head.writeUInt16BE(height, 10);
  return Buffer.concat([head, Buffer.alloc(width * height * 4, Buffer.from([0x80, 0x50, 0x20, 0]))]);
}
