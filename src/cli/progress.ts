import type { EvaluationProgress } from "../evaluate/index.js";
import type { DownloadProgress } from "../types.js";
import { type Io, type Output, terminalWidth } from "./io.js";
import { bytes, fit, pad } from "./text.js";

/** Shows how far something has come: one line that redraws itself on a terminal. */
class StatusLine {
  private shown = false;
  constructor(private readonly output: Output) {}

  draw(text: string): void {
    this.output.write(`\r\x1b[2K${fit(text, terminalWidth(this.output) - 1)}`);
    this.shown = true;
  }

  clear(): void {
    if (this.shown) this.output.write("\r\x1b[2K");
    this.shown = false;
  }
}

/** A bar of `width` columns. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const partial = eighths % 8 === 0 ? "" : " ▏▎▍▌▋▊▉"[eighths % 8];
  return pad("█".repeat(Math.floor(eighths / 8)) + partial, width);
}

/** Progress of model files and of scoring on stderr: bars on a terminal, plain lines elsewhere. */
export class Progress {
  private readonly line: StatusLine | undefined;
  private file = "";
  private startedAt = 0;
  private startedWith = 0;
  private announced = 0;
  private tenth = 0;

  constructor(private readonly io: Io) {
    this.line = io.stderr.isTTY && io.env.TERM !== "dumb" ? new StatusLine(io.stderr) : undefined;
  }

  /** For `RerankerOptions.onProgress`. */
  readonly download = (progress: DownloadProgress): void => {
    if (progress.file !== this.file) {
      Object.assign(this, { file: progress.file, startedAt: performance.now(), startedWith: progress.loaded });
      this.announced = -1;
    }
    if (this.line) this.line.draw(this.bar(progress));
    else this.announce(progress);
  };

  /** Opening large weights takes seconds. */
  loading(model: string): void {
    this.line?.draw(`Loading ${model}`);
  }

  /** For `ScoreOptions.onProgress`. Nothing where no bar can be drawn: scores follow soon. */
  readonly scoring = (done: number, total: number): void => {
    if (done === total) this.clear();
    else this.line?.draw(`Scoring  ${bar(done / total, 24)}  ${done} of ${total}`);
  };

  /** For `DataOptions.onRead`. */
  readonly reading = (what: string, done: number, total: number): void => {
    this.line?.draw(`${what}  ${bar(done / total, 24)}  ${bytes(done)} of ${bytes(total)}`);
  };

  /** For `EvaluateOptions.onProgress`: where no bar can be drawn, a line for each tenth. */
  readonly evaluating = ({ setting, done, total, secondsLeft }: EvaluationProgress): void => {
    const left = secondsLeft === undefined ? "" : `, ${clock(secondsLeft)} left`;
    const counts = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} pairs${left}`;
    const tenth = Math.floor((10 * done) / total);
    if (this.line) this.line.draw(`${setting}  ${bar(done / total, 24)}  ${counts}`);
    else if (tenth > this.tenth) this.io.stderr.write(`${setting}: ${counts}\n`);
    this.tenth = tenth;
  };

  clear(): void {
    this.line?.clear();
  }

  private bar({ file, loaded, total }: DownloadProgress): string {
    const seconds = (performance.now() - this.startedAt) / 1000;
    const speed = seconds > 0.5 ? (loaded - this.startedWith) / seconds : 0;
    const rate = speed > 0 ? `  ${bytes(speed)}/s` : "";
    if (total === undefined) return `${file}  ${bytes(loaded)}${rate}`;
    const left = speed > 0 ? `  ${clock((total - loaded) / speed)} left` : "";
    const percent = `${Math.floor((100 * loaded) / total)}`.padStart(3);
    return `${file}  ${bar(loaded / total, 24)} ${percent} %  ${bytes(loaded)} of ${bytes(total)}${rate}${left}`;
  }

  /** One line for each tenth of a large file, and one for the end of any. */
  private announce({ file, loaded, total }: DownloadProgress): void {
    const done = loaded === total;
    const tenth = total !== undefined && total > 20_000_000 ? Math.floor((10 * loaded) / total) : 0;
    if (done ? this.announced === 10 : tenth <= this.announced || tenth === 0) return;
    this.announced = done ? 10 : tenth;
    const size = total === undefined ? bytes(loaded) : `${bytes(loaded)} of ${bytes(total)}`;
    this.io.stderr.write(done ? `${file}: ${bytes(loaded)}\n` : `${file}: ${tenth * 10} %, ${size}\n`);
  }
}

function clock(seconds: number): string {
  const whole = Math.ceil(Math.min(seconds, 359_999));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
