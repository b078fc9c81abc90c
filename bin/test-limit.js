/**
 * Ends a test file that never ends, so that the run goes on and names it: the limits of Node.js are for tests, and a test that is
 * over by them keeps its process waiting.
 */
const MINUTES = 30;
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  const end = () => {
    process.stderr.write(`${process.argv[1]} was not done after ${MINUTES} minutes and was ended.\n`);
    process.exit(1);
  };
  setTimeout(end, MINUTES * 60_000).unref();
}
