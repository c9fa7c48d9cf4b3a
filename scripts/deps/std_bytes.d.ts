// Declarations of std's fmt/bytes.

/** A size for people: `format(1536, { binary: true })` is `1.5 kiB`. */
export declare function format(num: number, options?: {
  bits?: boolean;
  binary?: boolean;
  signed?: boolean;
  locale?: boolean | string | string[];
  minimumFractionDigits?: number;
  maximumFractionDigits?: number;
}): string;
