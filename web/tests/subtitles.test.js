// Subtitles lie beside a video under its name, and SubRip becomes what a browser reads without letting its words act.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { decodeSubtitles, subtitlesFor, toVtt } from '../lib/subtitles.js';

describe('subtitles', () => {
  it('belong to the video of their name', () => {
    assert.deepEqual(subtitlesFor('film.mkv', 'film.srt'), { label: 'Subtitles' });
    assert.deepEqual(subtitlesFor('Film.mkv', 'film.de.VTT'), { label: 'de' });
    for (const other of ['film.txt', 'film2.srt', 'other.srt', 'film.mkv', 'filmography.srt']) assert.equal(subtitlesFor('film.mkv', other), null, other);
  });

  it('are turned from SubRip, numbers and commas and all', () => {
    const srt = '\ufeff1\r\n00:00:01,500 --> 00:00:04,000 X1:1\r\nFirst\r\nsecond line\r\n\r\n2\r\n0:00:05.2 --> 0:00:06.25\r\n<i>Third</i>\r\n';
    assert.equal(toVtt(srt), 'WEBVTT\n\n00:00:01.500 --> 00:00:04.000\nFirst\nsecond line\n\n00:00:05.200 --> 00:00:06.250\n<i>Third</i>\n');
  });

  it('keep no markup but slanted, bold and underlined', () => {
    const vtt = toVtt('1\n00:00:01,000 --> 00:00:02,000\n<font color="red">a</font> & b < c {\\an8}<script>x</script> --> <b>d</b>\n');
    assert.equal(vtt.split('\n')[3], 'a &amp; b &lt; c x → <b>d</b>');
  });

  it('that are WebVTT already stay as they are', () => {
    assert.equal(toVtt('\ufeffWEBVTT - a film\r\n\r\n00:01.000 --> 00:02.000\r\nhi'), 'WEBVTT - a film\n\n00:01.000 --> 00:02.000\nhi');
  });

  it('without a cue are empty', () => {
    assert.equal(toVtt('no times here'), 'WEBVTT\n\n\n');
  });

  it('are read in the encodings people have', () => {
    assert.equal(decodeSubtitles(new TextEncoder().encode('Größe')), 'Größe');
    assert.equal(decodeSubtitles(new Uint8Array([0x47, 0x72, 0xf6, 0xdf, 0x65])), 'Größe');
    assert.equal(decodeSubtitles(new Uint8Array([0xff, 0xfe, 0x41, 0x00])), 'A');
  });
});
