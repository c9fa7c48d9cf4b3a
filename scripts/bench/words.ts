/**
 * What the images of the benchmark say on the first serial port. A file of its own, for processes that load nothing else.
 * Cold.
 */

/** The work is done. */
export const DONE = "done";

/** The work is done and came to a wrong result. */
export const WRONG = "wrong";
