/** V8 counts some runs of a function before it remembers what the function looks up. */
const RUNS = 1000;

/**
 * Has V8 find the methods of strings as fast as before. A class that extends String, as a library may have one, makes V8 prepare
 * String.prototype for changes: compiled code then looks up each method by its name, which cost 6 % of a request. V8 ends that
 * when a function that runs repeatedly looks up a method of an object with this prototype. A string is no object, so the code of
 * lb never causes that by itself.
 */
export function settleStringMethods(): void {
  const text = new String('');
  for (let run = 0; run < RUNS; run++) methodOf(text);
}

function methodOf(text: Pick<string, 'charCodeAt'>): unknown {
  return text.charCodeAt;
}
