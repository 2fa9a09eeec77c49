// Finds a Chrome or Chromium for the tests, and on Debian as root installs one where there is none.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['google-chrome', 'google-chrome-stable', 'chrome', 'chromium', 'chromium-browser'];
const WINDOWS_ROOTS = ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'];
const ADVICE =
  'No Chrome or Chromium was found: install one (on Debian or Ubuntu `apt-get install chromium`), or set CHROME_PATH to its executable.';

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // what does not exist or may not be run is no candidate
  }
}

function* candidates() {
  if (process.platform === 'darwin') {
    for (const root of ['', process.env['HOME'] ?? '']) {
      yield `${root}/Applications/Google Chrome.app/Contents/MacOS/Google Chrome`;
      yield `${root}/Applications/Chromium.app/Contents/MacOS/Chromium`;
    }
  } else if (process.platform === 'win32') {
    for (const root of WINDOWS_ROOTS.map((name) => process.env[name] ?? '').filter(Boolean)) {
      yield join(root, 'Google', 'Chrome', 'Application', 'chrome.exe');
      yield join(root, 'Chromium', 'Application', 'chrome.exe');
    }
  }
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    for (const name of NAMES) yield join(folder, name);
  }
  yield '/usr/bin/google-chrome';
  yield '/usr/bin/chromium';
  yield '/opt/google/chrome/chrome';
  yield '/snap/bin/chromium';
}

/**
 * The path of an installed browser. Where CHROME_PATH is set, nothing else is tried.
 * @returns {string | undefined}
 */
export function findBrowser() {
  const named = process.env['CHROME_PATH'];
  if (named !== undefined && named !== '') {
    if (isExecutable(named)) return named;
    throw new Error(
      `CHROME_PATH is ${named}, which is not an executable file: correct it, or unset it to search.`,
    );
  }
  for (const path of candidates()) if (isExecutable(path)) return path;
  return undefined;
}

/**
 * The path of a browser. Installs one where that needs no question.
 * @returns {string}
 */
export function ensureBrowser() {
  const found = findBrowser();
  if (found !== undefined) return found;
  if (process.platform === 'linux' && process.getuid?.() === 0 && isExecutable('/usr/bin/apt-get')) {
    console.log('browser: none found, installing chromium with apt-get ...');
    /** @type {import('node:child_process').ExecFileSyncOptions} */
    const options = {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    };
    try {
      execFileSync('apt-get', ['update', '-q'], options);
      execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], options);
    } catch (error) {
      throw new Error(`${ADVICE} (apt-get could not install it.)`, { cause: error });
    }
    const installed = findBrowser();
    if (installed !== undefined) return installed;
  }
  throw new Error(ADVICE);
}

/**
 * What headless Chrome is started with. It takes the machine's own adapter where it finds one and falls back to its
 * software adapter; GATEWISE_SOFTWARE=1 asks for the software adapter outright. The rest keeps it off the network.
 * @returns {string[]}
 */
export function browserArguments() {
  return [
    '--headless=new',
    '--no-sandbox',
    '--enable-unsafe-webgpu',
    ...(process.env['GATEWISE_SOFTWARE'] === '1' ? ['--use-webgpu-adapter=swiftshader'] : []),
    '--no-first-run',
    '--disable-quic',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
}
