// Counts the tests in a project's JSON report. An error that prevents a test from running counts as a failure.

/** @typedef {{ passed: number, failed: number, skipped: number, problems: string[] }} Count */

/**
 * The part of Vitest's JSON report that is read.
 * @typedef {object} Report
 * @property {number} numTotalTests
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ name: string, status: string, assertionResults: { status: string }[] }[]} testResults
 */

/**
 * @param {string} project
 * @param {Report | undefined} report undefined where the run wrote none
 * @param {number | null} status the run's exit status, null where a signal or the time limit ended it
 * @param {boolean} filtered whether only some files were asked for, so that none may be of this project
 * @returns {Count}
 */
export function countReport(project, report, status, filtered) {
  const ended = status === null ? 'was killed or ran past its time' : `exit ${status}`;
  if (report === undefined) {
    return {
      passed: 0,
      failed: 1,
      skipped: 0,
      problems: [`${project}: no report, its reason is above (${ended})`],
    };
  }
  const problems = report.testResults
    .filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    )
    .map((file) => `${project}: ${file.name} did not run to its end`);
  if (problems.length + report.numFailedTests === 0) {
    if (report.numTotalTests === 0 && !(filtered && status === 0)) {
      problems.push(`${project}: ran no test, the reason is above (${ended})`);
    } else if (status !== 0) {
      problems.push(`${project}: an error outside the tests (${ended})`);
    }
  }
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + problems.length,
    skipped: report.numPendingTests + report.numTodoTests,
    problems,
  };
}
