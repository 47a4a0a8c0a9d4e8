// Pictures and a film drawn by the browser itself: no encoder need be on the machine, and nobody else's rights are touched.

/**
 * One picture of each kind and a film of about a second.
 * @param {import('playwright-core').Browser} browser
 * @returns {Promise<{png: Buffer, jpeg: Buffer, webm: Buffer}>}
 */
export async function drawMedia(browser) {
  const page = await browser.newPage({ viewport: { width: 640, height: 400 } });
  try {
    await page.setContent('<body style="margin:0;background:linear-gradient(120deg,#0a6,#06a 40%,#fa3)">');
    const png = await page.screenshot();
    const jpeg = await page.screenshot({ type: 'jpeg', quality: 80 });
    const recorded = await page.evaluate(async () => {
      const canvas = document.createElement('canvas');
      canvas.width = 320;
      canvas.height = 180;
      const context = canvas.getContext('2d');
      const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm;codecs=vp8' });
      const parts = [];
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.start();
      for (let frame = 0; frame < 30; frame += 1) {
        context.fillStyle = `hsl(${frame * 12} 70% 50%)`;
        context.fillRect(0, 0, 320, 180);
        context.fillStyle = 'white';
        context.fillRect(frame * 9, 60, 60, 60);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      recorder.stop();
      await new Promise((resolve) => { recorder.onstop = resolve; });
      return Array.from(new Uint8Array(await new Blob(parts).arrayBuffer()));
    });
    return { png, jpeg, webm: Buffer.from(recorded) };
  } finally {
    await page.close();
  }
}

/**
 * Landscapes, each of its own, with names as a camera roll kept by a person has them.
 * @param {import('playwright-core').Browser} browser @param {number} count
 * @returns {Promise<[name: string, bytes: Buffer][]>}
 */
export async function drawPictures(browser, count) {
  const page = await browser.newPage();
  try {
    const drawn = await page.evaluate(async (wanted) => {
      const canvas = document.createElement('canvas');
      const context = canvas.getContext('2d');
      const pictures = [];
      for (let number = 0; number < wanted; number += 1) {
        let state = (number + 1) * 7_919;
        const random = () => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
          return state / 2 ** 32;
        };
        const upright = number % 7 === 5;
        canvas.width = upright ? 720 : 1080;
        canvas.height = upright ? 960 : 720;
        const { width, height } = canvas;
        const hue = [205, 220, 345, 190, 25, 250, 38, 175][number % 8] + random() * 12;
        const sky = context.createLinearGradient(0, 0, 0, height);
        sky.addColorStop(0, `hsl(${hue} 42% ${38 + random() * 25}%)`);
        sky.addColorStop(1, `hsl(${hue + 30} 65% 85%)`);
        context.fillStyle = sky;
        context.fillRect(0, 0, width, height);
        context.fillStyle = `hsl(${hue + 60} 95% 93%)`;
        context.beginPath();
        context.arc(width * (0.2 + random() * 0.6), height * (0.18 + random() * 0.25), 28 + random() * 40, 0, 7);
        context.fill();
        for (let ridge = 0; ridge < 5; ridge += 1) {
          const base = height * (0.42 + ridge * 0.12);
          const rough = 90 - ridge * 14;
          const [a, b, c] = [random() * 7, random() * 7, random() * 7];
          context.fillStyle = `hsl(${hue + 12 - ridge * 8} ${24 + ridge * 6}% ${62 - ridge * 12}%)`;
          context.beginPath();
          context.moveTo(0, height);
          for (let x = 0; x <= width; x += 4) {
            const t = (x / width) * (3 + ridge);
            context.lineTo(x, base + rough * (Math.sin(t + a) * 0.6 + Math.sin(t * 2.3 + b) * 0.3 + Math.sin(t * 6.1 + c) * 0.12));
          }
          context.lineTo(width, height);
          context.fill();
        }
        const type = number % 5 === 3 ? 'image/png' : 'image/jpeg';
        const blob = await new Promise((resolve) => { canvas.toBlob(resolve, type, 0.85); });
        const place = ['glacier', 'harbour', 'ridge', 'shore', 'valley', 'dunes'][number % 6];
        const name = `${place} ${Math.floor(number / 6) * 9 + 1}.${type.slice(6).replace('jpeg', 'jpg')}`;
        pictures.push([name, Array.from(new Uint8Array(await blob.arrayBuffer()))]);
      }
      return pictures;
    }, count);
    return drawn.map(([name, bytes]) => [name, Buffer.from(bytes)]);
  } finally {
    await page.close();
  }
}
