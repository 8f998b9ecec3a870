/** As in package.json; test/version.test.ts compares. */
export const version = '0.2.0';
