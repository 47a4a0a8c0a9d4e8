// Every kind of asset looked at in the real viewer, on files from Debian packages that nobody made for these tests: at least
// five of a kind where the packages have them, the largest among them, and the largest once more cut short, which has to end
// in words and not in a broken page. And one whose bytes in the vault were damaged.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { launch, openPage } from './harness/browser.js';
import { filesOfKind } from './harness/packages.js';
import { ArchivePage } from './harness/page.js';
import { run, startServer, temporaryFolder } from './harness/server.js';

const KINDS = ['pictures', 'drawings', 'sounds', 'videos', 'papers', 'markdown', 'tables', 'archives', 'models', 'scenes', 'fonts', 'texts'];
const LONG_LINES = 200_000;
const SUBTITLES = '1\n00:00:00,000 --> 00:00:05,000\n<font color="red">Two monitors</font> & one desk\n';
const LINKED = '[gone](javascript:alert(1)) <img src=x onerror=alert(1)> [there](#below)\n\n- [x] done\n\n| a | b |\n|--|-:|\n| 1 | 2 |\n\n## Below\n';

describe('looking at assets', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {ArchivePage} */
  let archive;
  /** @type {Map<string, any>} */
  let collections;
  /** @type {Record<string, ReturnType<typeof filesOfKind>>} */
  const samples = {};
  const source = temporaryFolder('samples');
  const damaged = { name: 'damaged.png', bytes: Buffer.alloc(0) };

  before(async () => {
    for (const kind of KINDS) samples[kind] = filesOfKind(kind, path.join(source, kind));
    writeFileSync(path.join(source, 'videos', 'display-dual-monitors.en.srt'), SUBTITLES);
    writeFileSync(path.join(source, 'markdown', 'linked.md'), LINKED);
    writeFileSync(path.join(source, 'texts', 'long.log'), Array.from({ length: LONG_LINES }, (_, i) => `line ${i + 1}${i % 50_000 === 49_999 ? ' needle' : ''}`).join('\n'));
    writeFileSync(path.join(source, 'texts', 'latin.txt'), Buffer.from('Gr\u00f6\u00dfe und \u00dcbermut, caf\u00e9 au lait\n', 'latin1'));
    writeFileSync(path.join(source, 'texts', 'empty.txt'), '');
    damaged.bytes = noise(200_000);
    writeFileSync(path.join(source, 'pictures', damaged.name), damaged.bytes);
    const folder = temporaryFolder('served');
    const state = temporaryFolder('state');
    const vault = path.join(folder, 'studio.vault');
    for (const words of [['init', '--parity', '0', vault], ['add', '--vault', vault, '--to', 'Samples/All', `${source}/.`]]) {
      const done = run(words, { folder, state });
      assert.equal(done.status, 0, done.stdout + done.stderr);
    }
    damage(vault, damaged.bytes);
    [browser, server] = await Promise.all([launch(), startServer({ folder, state })]);
    opened = await openPage(browser, server);
    ({ page } = opened);
    archive = new ArchivePage(page, server.origin);
    collections = await archive.collections();
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** The names of a collection in the listing's order. @param {string} kind @returns {Promise<any[]>} */
  const assetsOf = (kind) => archive.assetsOf(collections.get(`Samples/All/${kind}`).id);

  /** Opens the first asset of a collection as a person does, by a double click. @param {string} kind @param {string} [name] */
  async function look(kind, name) {
    await archive.openCollection(collections.get(`Samples/All/${kind}`).id);
    await archive.settled();
    await archive.view(name ?? (await assetsOf(kind))[0].filename);
    await shown(name ?? (await assetsOf(kind))[0].filename);
  }

  /** Waits until the viewer has ended its work on this asset. @param {string} name */
  async function shown(name) {
    await page.locator(`dialog#viewer[aria-label="${name}"]:is([data-state="shown"], [data-state="failed"], [data-state="damaged"])`).waitFor();
    return archive.viewer.getAttribute('data-state');
  }

  /** Walks through a collection with the arrow key and looks at each. @param {string} kind @param {(asset: any, file: Buffer, cut: boolean) => Promise<void>} check */
  async function walk(kind, check) {
    const assets = await assetsOf(kind);
    await look(kind);
    for (const [i, asset] of assets.entries()) {
      // The browser's PDF viewer takes the keys for itself as soon as it has begun.
      if (i > 0 && kind === 'papers') await content('viewer-next').click();
      else if (i > 0) await page.keyboard.press('ArrowRight');
      await shown(asset.filename);
      assert.equal(await archive.viewer.getByTestId('viewer-position').innerText(), `${i + 1} of ${assets.length}`);
      if (asset.filename !== damaged.name) await check(asset, readFileSync(path.join(source, kind, asset.filename)), asset.filename === samples[kind].cut);
    }
    await archive.closeViewer();
  }

  const notice = () => archive.viewer.locator('.viewer-notices');
  const content = (/** @type {string} */ id) => archive.viewer.getByTestId(id);

  /** The bytes stand in, and the reason over them. @param {string} name @param {RegExp} why @param {Buffer} file */
  async function fellBack(name, why, file) {
    // What is on the screen at once may fail a moment later.
    await page.locator(`dialog#viewer[aria-label="${name}"][data-state="failed"]`).waitFor();
    await notice().getByText(why).waitFor();
    await firstRow(file);
  }

  /** @param {Buffer} file */
  async function firstRow(file) {
    const hex = [...file.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0'));
    const wanted = [hex.slice(0, 8).join(' '), hex.slice(8).join(' ')].filter(Boolean).join('  ');
    await page.waitForFunction((text) => document.querySelector('#hex-content .line .bytes')?.textContent === text, wanted);
  }

  for (const kind of ['pictures', 'drawings']) {
    it(`shows ${kind}, and says where one ends early`, async () => {
      opened.trouble.expect(/damaged|answer 500|status of (?:500|404)/);
      assert.ok(samples[kind].names.length >= 5);
      await walk(kind, async ({ filename }, file, cut) => {
        if (cut && kind === 'drawings') {
          await fellBack(filename, /could not be drawn/, file);
          return;
        }
        const image = content('viewer-image');
        await image.evaluate((/** @type {HTMLImageElement} */ element) => (element.complete ? null : element.decode()));
        assert.ok(await image.evaluate((/** @type {HTMLImageElement} */ element) => element.naturalWidth > 0), filename);
        if (cut) await notice().getByText(/ends early/).waitFor();
      });
    });
  }

  it('zooms a picture at the pointer, to its own size and back, by wheel, keys and fingers', async () => {
    await look('pictures', samples.pictures.largest);
    const image = content('viewer-image');
    const width = () => image.evaluate((element) => element.getBoundingClientRect().width);
    await image.evaluate((/** @type {HTMLImageElement} */ element) => element.decode());
    const fitted = await width();
    const box = await image.boundingBox();
    assert.ok(box);
    const at = { x: box.x + box.width * 0.25, y: box.y + box.height * 0.25 };
    await page.mouse.move(at.x, at.y);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -200);
    await page.keyboard.up('Control');
    await page.waitForFunction((before) => (document.querySelector('#viewer-image')?.getBoundingClientRect().width ?? 0) > before * 1.5, fitted);
    const zoomed = await image.boundingBox();
    assert.ok(zoomed);
    const along = (at.x - zoomed.x) / zoomed.width;
    assert.ok(Math.abs(along - 0.25) < 0.06, `what was under the pointer is still there: ${along}`);
    await page.keyboard.press('0');
    assert.ok(Math.abs(await width() - fitted) < 1);
    await page.keyboard.press('1');
    assert.equal(Math.round(await width()), await image.evaluate((/** @type {HTMLImageElement} */ element) => element.naturalWidth));
    await page.keyboard.press('z');
    await page.keyboard.press('+');
    assert.ok(await width() > fitted);
    await page.keyboard.press('0');
    await pinch(page, at, 40, 160);
    assert.ok(await width() > fitted * 1.5, 'two fingers pull it larger');
    await archive.closeViewer();
  });

  it('plays sounds from where one likes, and says where one ends early', async () => {
    assert.ok(samples.sounds.names.length >= 5);
    await walk('sounds', async ({ filename }, _, cut) => {
      const played = await content('viewer-audio').evaluate(seekAndPlay);
      assert.ok(played.error === '' && played.duration > 0 && played.at > 0, `${filename}: ${JSON.stringify(played)}`);
      if (cut) await notice().getByText(/ends early/).waitFor();
    });
  });

  it('plays a video from where one likes, with the subtitles beside it', async () => {
    await look('videos', 'display-dual-monitors.webm');
    const video = content('viewer-video');
    const played = await video.evaluate(seekAndPlay);
    assert.ok(played.error === '' && played.at > 0 && played.width > 0, JSON.stringify(played));
    await video.locator('track').waitFor({ state: 'attached' });
    const cue = await video.evaluate(async (/** @type {HTMLVideoElement} */ element) => {
      const [track] = element.textTracks;
      track.mode = 'showing';
      while (!track.cues?.length) await new Promise((resolve) => setTimeout(resolve, 20));
      return { label: track.label, text: /** @type {any} */ (track.cues[0]).text };
    });
    assert.deepEqual(cue, { label: 'en', text: 'Two monitors &amp; one desk' });
    await archive.closeViewer();
  });

  it('plays every video that the browser knows, and says of the others that they cannot be played', async () => {
    assert.ok(samples.videos.names.length >= 5);
    await walk('videos', async ({ filename }, file, cut) => {
      if (cut) {
        await notice().getByText(/ends early|could not be played/).first().waitFor();
      } else if (/\.(?:mp4|webm)$/.test(filename)) {
        const played = await content('viewer-video').evaluate(seekAndPlay);
        assert.ok(played.error === '' && played.at > 0 && played.width > 0, `${filename}: ${JSON.stringify(played)}`);
      } else if (filename.endsWith('.avi')) {
        await fellBack(filename, /could not be played/, file);
      }
    });
  });

  it('shows papers in the browser’s own viewer, and says where one was cut short', async () => {
    assert.ok(samples.papers.names.length >= 5);
    await walk('papers', async ({ id, filename }, _, cut) => {
      assert.equal(await content('viewer-pages').getAttribute('src'), `/api/assets/${id}`);
      assert.equal(await content('viewer-pages').getAttribute('sandbox'), null, 'under which Chromium shows no PDF');
      if (cut) {
        await notice().getByText(/no end mark/).waitFor();
      } else {
        // Chromium's viewer is an extension of its own in a frame of a frame.
        const started = async () => page.frames().some((frame) => frame.url().startsWith('chrome-extension:'));
        for (let tries = 0; tries < 200 && !await started(); tries += 1) await page.waitForTimeout(50);
        assert.ok(await started(), `${filename} is shown`);
        assert.equal(await notice().innerText(), '');
      }
    });
  });

  it('renders Markdown safely, beside its source', async () => {
    assert.ok(samples.markdown.names.length >= 5);
    await walk('markdown', async ({ filename }, file) => {
      const heading = /^#+ +(.+?)\s*$/m.exec(file.toString())?.[1].replace(/[`*]/g, '');
      await content('document-content').locator('h1, h2, h3').filter({ hasText: heading }).first().waitFor();
      await content('text-content').locator('.line').first().waitFor();
      assert.equal(await content('text-content').locator('.line .text').first().innerText(), file.toString().split('\n')[0], filename);
    });
    await look('markdown', 'linked.md');
    const written = content('document-content');
    assert.equal(await written.locator('img, script, [href^="javascript"], [onerror]').count(), 0);
    await written.getByText('<img src=x onerror=alert(1)>').waitFor();
    assert.ok(await written.locator('input[type=checkbox]').isChecked());
    assert.equal(await written.locator('td').nth(1).evaluate((element) => element.style.textAlign), 'right');
    await written.getByText('there').click();
    await content('mode-rendered').click();
    await content('text-content').waitFor({ state: 'detached' });
    await content('mode-text').click();
    await content('text-content').waitFor();
    await content('mode-beside').click();
    await archive.closeViewer();
  });

  it('shows tables of any length, the header in view', async () => {
    assert.ok(samples.tables.names.length >= 5);
    await walk('tables', async ({ filename }, file) => {
      const table = content('table-content');
      const header = file.toString().split(/\r?\n/)[0].split(',')[0];
      await table.locator('[role=columnheader]').nth(1).getByText(header, { exact: true }).waitFor();
      await table.locator('.line [role=cell]').first().getByText(/\S/).waitFor();
      assert.ok(Number(await table.getAttribute('aria-rowcount')) > 10, filename);
    });
    await look('tables', samples.tables.largest);
    const table = content('table-content');
    await table.focus();
    await page.keyboard.press('End');
    const rows = Number(await table.getAttribute('aria-rowcount')) - 1;
    await table.locator(`.line[aria-rowindex="${rows + 1}"] [role=cell]`).first().getByText(/\S/).waitFor();
    const lastLine = readFileSync(path.join(source, 'tables', samples.tables.largest), 'utf8').trimEnd().split(/\r?\n/).at(-1) ?? '';
    assert.ok(lastLine.startsWith(await table.locator(`.line[aria-rowindex="${rows + 1}"] [role=cell]`).first().innerText()));
    assert.ok(await table.locator('.table-head').isVisible());
    await content('table-row').fill('1000');
    await page.keyboard.press('Enter');
    await table.locator('.line[aria-rowindex="1001"] [role=cell]').first().getByText(/\S/).waitFor();
    await archive.closeViewer();
  });

  it('lists what archives hold, narrowed by typing, and what is left of one cut short', async () => {
    assert.ok(samples.archives.names.length >= 5);
    opened.trouble.expect(/status of 4\d\d/);
    await walk('archives', async ({ filename }, file, cut) => {
      if (cut) {
        const state = await archive.viewer.getAttribute('data-state');
        assert.match(await notice().innerText(), /\S/, 'it is said that it is not whole');
        if (state === 'failed') await firstRow(file);
        return;
      }
      await content('members-content').locator('.line .name').first().getByText(/\S/).first().waitFor();
      assert.match(await archive.viewer.locator('.viewer-note').innerText(), /\d members?/, filename);
    });
    await look('archives', samples.archives.largest);
    await page.keyboard.press('/');
    await page.keyboard.type('manifest');
    await content('members-count').getByText(/^\d+ of \d+/).waitFor();
    const names = await content('members-content').locator('.line:visible').evaluateAll((rows) => rows.map((row) => row.title));
    assert.ok(names.length > 0 && names.every((name) => /manifest/i.test(name)), names.join());
    // Escape first empties the field it is in.
    await page.keyboard.press('Escape');
    assert.equal(await content('members-filter').inputValue(), '');
    await archive.closeViewer();
  });

  it('turns models and lights them, draws their edges, and survives the loss of the graphics card', async () => {
    assert.ok(samples.models.names.length >= 5);
    opened.trouble.expect(/status of 4\d\d/);
    await walk('models', async ({ filename }, file, cut) => {
      if (cut) {
        assert.match(await notice().innerText(), /\S/, 'it is said that it is not whole');
        if (await archive.viewer.getAttribute('data-state') === 'failed') await firstRow(file);
        return;
      }
      // A box has three sides to be seen, each lit in its own way, before the ground.
      assert.ok(await coloursOf() >= 4, `${filename} is lit`);
    });
    await look('models', samples.models.largest);
    const canvas = content('viewer-model');
    const before = await picture();
    await page.mouse.move(600, 400);
    await page.mouse.down();
    await page.mouse.move(700, 430, { steps: 4 });
    await page.mouse.up();
    const turned = await changedFrom(before);
    await page.keyboard.press('Shift+ArrowUp');
    const tipped = await changedFrom(turned);
    await page.keyboard.press('w');
    const edges = await changedFrom(tipped);
    await page.keyboard.press('w');
    await changedFrom(edges);
    await page.keyboard.press('0');
    await page.waitForFunction(() => document.querySelector('canvas'));
    const drawn = Number(await canvas.getAttribute('data-drawn'));
    await canvas.evaluate((/** @type {HTMLCanvasElement} */ element) => {
      const lost = element.getContext('webgl2')?.getExtension('WEBGL_lose_context');
      element.addEventListener('webglcontextlost', () => setTimeout(() => lost?.restoreContext()), { once: true });
      lost?.loseContext();
    });
    await page.waitForFunction((least) => Number(document.querySelector('canvas')?.dataset.drawn) > least, drawn);
    assert.ok(await coloursOf() >= 4, 'it is drawn again');
    await archive.closeViewer();
  });

  it('draws scenes of glTF, and says of one that is broken that it is', async () => {
    assert.ok(samples.scenes.names.length >= 5);
    opened.trouble.expect(/status of 4\d\d/);
    let drawn = 0;
    await walk('scenes', async ({ filename }, file, cut) => {
      if (await archive.viewer.getAttribute('data-state') === 'shown') {
        if (cut) assert.match(await notice().first().innerText(), /\S/, `${filename}: it is said that it is not whole`);
        else assert.ok(await coloursOf() >= 3, `${filename} is lit`);
        drawn += 1;
      } else {
        assert.match(await notice().first().innerText(), /\S/, `${filename}: it is said why it is not drawn`);
        await firstRow(file);
      }
    });
    assert.ok(drawn >= 4, `${drawn} of them are drawn`);
  });

  it('keeps all of a scene in sight where the window is turned', async () => {
    const wide = /** @type {{width: number, height: number}} */ (page.viewportSize());
    await look('scenes', '2CylinderEngine.glb');
    const before = await picture();
    await page.setViewportSize({ width: 400, height: 800 });
    await changedFrom(before);
    // On the whole left edge of the stage there is nothing but ground.
    const edge = async () => coloursOf({ left: 0, width: 4 });
    for (let tries = 0; tries < 40 && await edge() > 1; tries += 1) await page.waitForTimeout(50);
    assert.equal(await edge(), 1);
    assert.ok(await coloursOf({ left: 100, width: 200 }) >= 3);
    await page.setViewportSize(wide);
    await archive.closeViewer();
  });

  it('says so where there is no WebGL, and shows the bytes', async () => {
    const context = await browser.newContext({ storageState: await opened.context.storageState(), viewport: { width: 1280, height: 800 } });
    await context.addInitScript(() => {
      const usual = HTMLCanvasElement.prototype.getContext;
      HTMLCanvasElement.prototype.getContext = /** @type {any} */ (function (/** @type {string} */ kind, ...rest) {
        return kind.startsWith('webgl') ? null : usual.call(this, /** @type {any} */ (kind), ...rest);
      });
    });
    const bare = await context.newPage();
    const asset = (await assetsOf('models')).find(({ filename }) => filename === samples.models.largest);
    await bare.goto(`${server.origin}/c/${collections.get('Samples/All/models').id}?v=${asset.id}`);
    await bare.locator('.viewer-notices').getByText(/no WebGL/).waitFor();
    await bare.getByTestId('hex-content').locator('.line .bytes').first().getByText(/\S/).waitFor();
    await context.close();
  });

  it('sets fonts, and one’s own words in them', async () => {
    assert.ok(samples.fonts.names.length >= 5);
    await walk('fonts', async ({ filename }, file, cut) => {
      if (cut) {
        if (await archive.viewer.locator('.specimen-picture').count() === 0) await fellBack(filename, /could not be set/, file);
        return;
      }
      await content('specimen-content').waitFor();
      const faces = await page.evaluate(() => [...document.fonts].map(({ family, status }) => `${family} ${status}`));
      assert.equal(faces.length, 1, `one font at a time: ${faces.join()}`);
      assert.match(faces[0], /^asset-\d+ loaded$/, filename);
    });
    await look('fonts', samples.fonts.largest);
    await content('specimen-text').fill('Sphinx of black quartz');
    await content('specimen-own').getByText('Sphinx of black quartz').waitFor();
    await content('specimen-text').fill('');
    await archive.closeViewer();
  });

  it('reads texts of any size: line numbers, encodings, search, go to line, wrapped lines', async () => {
    assert.ok(samples.texts.names.length >= 5);
    await walk('texts', async ({ filename, size_original: size }, file) => {
      if (size === 0) {
        await archive.viewer.getByText('This file is empty.').waitFor();
        return;
      }
      const latin = filename === 'latin.txt';
      const first = content('text-content').locator('.line[data-line="1"] .text');
      await first.getByText(/\S/).first().waitFor();
      assert.equal(await first.innerText(), file.toString(latin ? 'latin1' : 'utf8').split('\n')[0].replace(/\r$/, ''), filename);
      assert.match(await archive.viewer.locator('.viewer-note').innerText(), latin ? /windows-1252|ISO-8859/i : /UTF-8/);
    });
    await look('texts', 'long.log');
    await content('text-find').fill('NEEDLE');
    await content('text-hits').getByText('1 of 4').waitFor();
    await content('text-content').locator('.line[data-line="50000"]').getByText('needle').waitFor();
    await content('text-find').press('Enter');
    await content('text-hits').getByText('2 of 4').waitFor();
    await content('text-content').locator('.line[data-line="100000"]').getByText('needle').waitFor();
    await content('text-previous').click();
    await content('text-previous').click();
    await content('text-hits').getByText('4 of 4').waitFor();
    await content('text-line').fill('123456');
    await page.keyboard.press('Enter');
    await content('text-content').locator('.line[data-line="123456"] .text').getByText('line 123456').waitFor();
    await content('text-content').focus();
    await page.keyboard.press('End');
    await content('text-content').locator(`.line[data-line="${LONG_LINES}"] .text`).getByText(`line ${LONG_LINES} needle`).waitFor();
    await content('text-wrap').click();
    await notice().getByText(/wrapped in texts of up to/).waitFor();
    await archive.closeViewer();
    await page.setViewportSize({ width: 600, height: 800 });
    await look('texts', samples.texts.largest);
    await content('text-wrap').click();
    await page.waitForFunction(() => {
      const box = document.querySelector('#text-content');
      return box?.classList.contains('wrapped') && box.querySelector('.block .line') && box.scrollWidth <= box.clientWidth;
    });
    await content('text-line').fill('400');
    await page.keyboard.press('Enter');
    await content('text-content').locator('.line[data-line="400"]').waitFor();
    await content('text-wrap').click();
    await archive.closeViewer();
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it('has the bytes of everything one key away, and goes to any offset', async () => {
    for (const kind of ['pictures', 'markdown', 'archives']) {
      const name = samples[kind].largest;
      const file = readFileSync(path.join(source, kind, name));
      await look(kind, name);
      await archive.viewer.locator('.viewer-content').focus().catch(() => {});
      await page.keyboard.press('b');
      await firstRow(file);
      const at = Math.floor(file.length * 0.7);
      await content('hex-offset').fill(`0x${at.toString(16)}`);
      await page.keyboard.press('Enter');
      const row = at - (at % 16);
      const wanted = [...file.subarray(row, row + 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      const line = content('hex-content').locator('.line.current');
      await line.locator('.bytes').getByText(wanted).waitFor();
      assert.equal(await line.locator('.number').innerText(), row.toString(16).padStart(8, '0'));
      const raw = await content('viewer-raw').getAttribute('href');
      assert.ok((await (await opened.context.request.get(server.origin + raw)).body()).equals(file), 'the real bytes are a click away');
      assert.equal(new URL(page.url()).searchParams.get('m'), 'bytes');
      await page.reload();
      await firstRow(file);
      await archive.closeViewer();
    }
  });

  it('says of damaged content that it is damaged', async () => {
    opened.trouble.expect(/damaged|answer 500|status of (?:500|404)/);
    await look('pictures', damaged.name);
    // A picture is on the screen before all of it has come, so the damage may be said a moment later.
    await page.locator('dialog#viewer[data-state="damaged"]').waitFor();
    await archive.viewer.locator('.facts-card').locator('.problem').getByText(/is damaged: chunk/).waitFor();
    await archive.closeViewer();
  });

  it('finds the damage when everything is verified, and leads to the asset', async () => {
    opened.trouble.expect(/damaged|answer 500|status of (?:500|404)/);
    await page.goto(`${server.origin}/trust`);
    await page.getByTestId('verify-now').click();
    await page.getByTestId('verify-words').getByText(/Ended .* [1-9]\d* findings?/).waitFor();
    assert.match(await page.getByTestId('trust-verdict').getAttribute('class') ?? '', /bad/);
    await page.getByTestId('verify-findings').getByRole('link', { name: damaged.name }).first().click();
    await page.getByTestId('details').getByText(damaged.name).first().waitFor();
  });

  it('goes to both ends and back to where one was, by keys', async () => {
    const assets = await assetsOf('sounds');
    await look('sounds');
    await page.keyboard.press('End');
    await shown(assets.at(-1).filename);
    await page.keyboard.press('Home');
    await shown(assets[0].filename);
    await page.keyboard.press('ArrowRight');
    await shown(assets[1].filename);
    await page.keyboard.press('i');
    await archive.viewer.locator('.viewer-info').getByText(/audio\//).waitFor();
    await page.keyboard.press('i');
    await archive.closeViewer();
    assert.equal(await archive.listing.locator('.active').first().getAttribute('title'), assets[1].filename, 'the asset last seen is the active one');
  });

  it('shows what stands before and after, and turns to it by a click', async () => {
    opened.trouble.expect(/damaged|answer 500|status of (?:500|404)/);
    const assets = await assetsOf('pictures');
    await look('pictures');
    const strip = archive.viewer.locator('.viewer-strip');
    const names = async () => strip.locator('button:visible').evaluateAll((buttons) => buttons.map((button) => button.getAttribute('aria-label')));
    const from = (/** @type {number} */ at) => assets.slice(Math.max(0, at - 3), at + 4).map(({ filename }) => filename);
    assert.deepEqual(await names(), from(0));
    await strip.locator('.picture.ready').first().waitFor();
    await strip.getByRole('button', { name: assets[3].filename, exact: true }).click();
    await shown(assets[3].filename);
    assert.deepEqual(await names(), from(3));
    assert.equal(await strip.locator('[aria-current="true"]').getAttribute('aria-label'), assets[3].filename);
    await page.keyboard.press('ArrowRight');
    await shown(assets[4].filename);
    assert.deepEqual(await names(), from(4));
    await archive.closeViewer();
  });

  /** How many colours the stage shows, or an upright strip of it. @param {{left: number, width: number}} [strip] */
  async function coloursOf(strip) {
    const bytes = (await archive.viewer.locator('.viewer-content').screenshot()).toString('base64');
    return page.evaluate(async ({ data, strip: { left, width } = { left: 100, width: 0 } }) => {
      const image = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (char) => char.charCodeAt(0))]));
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
      context.drawImage(image, 0, 0);
      const { data: pixels } = context.getImageData(left, 60, width || image.width - 200, image.height - 120);
      const seen = new Set();
      for (let i = 0; i < pixels.length; i += 4) seen.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
      return seen.size;
    }, { data: bytes, strip });
  }

  const picture = async () => (await content('viewer-model').screenshot()).toString('base64');

  /** @param {string} before */
  async function changedFrom(before) {
    for (let tries = 0; tries < 100; tries += 1) {
      const now = await picture();
      if (now !== before) return now;
      await page.waitForTimeout(50);
    }
    throw new Error('the model looks as before');
  }
});

/** Plays a little from the middle on. Runs in the page. @param {Element} element */
async function seekAndPlay(element) {
  const media = /** @type {HTMLMediaElement} */ (element);
  media.muted = true;
  while (!(media.duration > 0) && !media.error) await new Promise((resolve) => setTimeout(resolve, 20));
  const middle = media.duration / 2;
  media.currentTime = middle;
  await media.play().catch(() => {});
  while (media.currentTime <= middle && !media.ended && !media.error) await new Promise((resolve) => setTimeout(resolve, 20));
  media.pause();
  return { at: media.currentTime, duration: media.duration, error: media.error?.message ?? '', width: media instanceof HTMLVideoElement ? media.videoWidth : 0 };
}

/** Two fingers moving apart. @param {import('playwright-core').Page} page @param {{x: number, y: number}} at @param {number} from apart, in pixels @param {number} to */
async function pinch(page, at, from, to) {
  const session = await page.context().newCDPSession(page);
  const fingers = (/** @type {number} */ apart) => [{ x: at.x - apart / 2, y: at.y, id: 1 }, { x: at.x + apart / 2, y: at.y, id: 2 }];
  await session.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: fingers(from) });
  for (let step = 1; step <= 6; step += 1) await session.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: fingers(from + ((to - from) * step) / 6) });
  await session.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await session.detach();
}

/** What begins as a PNG and cannot be compressed. @param {number} size */
function noise(size) {
  const bytes = Buffer.alloc(size);
  let state = 42;
  for (let i = 0; i < size; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return bytes;
}

/** Turns one bit of a content inside the vault's file, as a bad disk would. @param {string} vault @param {Buffer} content kept as it is, since it cannot be compressed */
function damage(vault, content) {
  const file = readFileSync(vault);
  const at = file.indexOf(content.subarray(content.length - 400, content.length - 300));
  assert.ok(at >= 0, 'the content lies in the vault as it is');
  file[at + 50] ^= 1;
  writeFileSync(vault, file);
}
