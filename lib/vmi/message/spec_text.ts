/**
 * What `JSON.parse` does not tell: a key that an object has twice, of which it would silently take the last. Cold.
 */

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:\n]/g;

/** The first key that an object of a JSON text has twice, and its line. @param text Valid JSON. */
export function repeatedKey(text: string): { readonly key: string; readonly line: number } | undefined {
  const open: Set<string>[] = [];
  let line = 1;
  let last = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "\n") line++;
    else if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const keys = open[open.length - 1];
      const key = String(JSON.parse(last));
      if (keys?.has(key)) return { key, line };
      keys?.add(key);
    } else last = token;
  }
  return undefined;
}
