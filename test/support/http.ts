/** Messages that many tests send, as they are on the wire. */

/** The shortest request that is one. */
export const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** The shortest answer with a body. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
