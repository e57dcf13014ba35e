// The scripted model that does the main job of the tests.
import { readScript, startServer } from "./model_server/server.mjs";

/** A model server with the script "notes", in which the model waits for the terminal's shell on a busy machine. */
export function notesModel() {
  const script = readScript("notes");
  const { calls } = script.runs[0].turns.find((turn) => turn.calls?.some(({ name }) => name === "read_file"));
  calls.unshift({ name: "shell", arguments: { command: "for i in $(seq 200); do grep -q report notes.txt && exit; sleep 0.05; done; exit 1" } });
  return startServer({ script });
}
