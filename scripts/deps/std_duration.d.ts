// Declarations of std's fmt/duration.

/** A time in milliseconds for people: `format(99674, { ignoreZero: true })` is `1m 39s 674ms`. */
export declare function format(ms: number, options?: {
  style?: "narrow" | "full" | "digital";
  ignoreZero?: boolean;
}): string;
