// The speed of an import over time, drawn as it comes.
import { size } from "../format/size";
import { clock } from "../format/time";
import type { Sample } from "../api/useJob";

const WIDTH = 600;
const HEIGHT = 120;
/** Points that are drawn; more samples are averaged. */
const POINTS_MAX = 240;

/** A round number of bytes not below `value`: 1, 2 or 5 times a power of ten. */
export function ceiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}

/** At most `most` samples, each the mean of its neighbours. */
export function thinned(samples: Sample[], most: number): Sample[] {
  if (samples.length <= most) return samples;
  const each = Math.ceil(samples.length / most);
  const found: Sample[] = [];
  for (let at = 0; at < samples.length; at += each) {
    const some = samples.slice(at, at + each);
    const rate = some.reduce((sum, one) => sum + one.rate, 0) / some.length;
    found.push({ time: (some.at(-1) as Sample).time, rate });
  }
  return found;
}

export function RateChart({ samples, over }: { samples: Sample[]; over: boolean }) {
  const points = thinned(samples, POINTS_MAX);
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || points.length < 2)
    return (
      <div className="faint">
        The speed is drawn here while the import runs and this page is open.
      </div>
    );
  const top = ceiling(Math.max(...points.map(({ rate }) => rate)));
  if (points.every(({ rate }) => rate === 0))
    return (
      <div className="faint">
        Nothing is read {over ? "or was, while this page was open" : "yet"}.
      </div>
    );
  const span = Math.max(1, last.time - first.time);
  const spot = ({ time, rate }: Sample) =>
    `${(((time - first.time) / span) * WIDTH).toFixed(1)} ${(HEIGHT - (rate / top) * HEIGHT).toFixed(1)}`;
  const line = points.map(spot).join(" L");
  return (
    <figure>
      <div className="chart-labels">
        <span>{size(top)}/s</span>
        {!over && <span>now {size(last.rate)}/s</span>}
      </div>
      <svg
        className="chart"
        viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Speed over the last ${clock(span / 1000)}: now ${size(last.rate)} per second, at most ${size(Math.max(...points.map(({ rate }) => rate)))} per second`}
      >
        {[0, 0.5, 1].map((part) => (
          <line
            key={part}
            className="chart-grid"
            x1="0"
            x2={WIDTH}
            y1={part * HEIGHT}
            y2={part * HEIGHT}
          />
        ))}
        <path className="chart-area" d={`M0 ${HEIGHT} L${line} L${WIDTH} ${HEIGHT} Z`} />
        <path className="chart-line" d={`M${line}`} />
      </svg>
      <div className="chart-labels">
        <span>{over ? `its last ${clock(span / 1000)}` : `${clock(span / 1000)} ago`}</span>
        <span>{over ? "end" : "now"}</span>
      </div>
    </figure>
  );
}
