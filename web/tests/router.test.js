// Addresses: whatever the page writes it reads back, and whatever a person types leads somewhere sensible.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { format, parse, route, sameListing, samePlace } from '../router.js';

describe('addresses', () => {
  it('come back as they went', () => {
    const routes = [
      route(), route({ kind: 'project', id: 7 }), route({ kind: 'uploads' }), route({ kind: 'trust' }),
      route({ kind: 'collection', id: 12, as: 'list', sort: '-added', types: ['image', '3d'], q: 'a&b=c #ü% size:>10mb', details: 99, viewing: 100, mode: 'bytes', at: { id: 7, px: 41 } }),
    ];
    for (const one of routes) assert.deepEqual(parse(format(one)), one);
  });

  it('leave out what is usual', () => {
    assert.equal(format(route()), '/');
    assert.equal(format(route({ kind: 'collection', id: 3, types: ['text', 'audio'] })), '/c/3?type=text,audio');
  });

  it('order a search by match, unless another order is named', () => {
    assert.equal(parse('/?q=bark').sort, 'rank');
    assert.equal(format(route({ q: 'bark', sort: 'rank' })), '/?q=bark');
    assert.equal(format(route({ q: 'bark', sort: 'name' })), '/?sort=name&q=bark');
    assert.equal(parse('/c/4?sort=rank').sort, 'name');
    assert.deepEqual(parse('/search?q=bark'), parse('/?q=bark'));
  });

  it('say what was seen first and how far it was scrolled out', () => {
    assert.deepEqual(parse('/c/4?at=81~12').at, { id: 81, px: 12 });
    assert.deepEqual(parse('/c/4?at=81').at, { id: 81, px: 0 });
    for (const odd of ['0~1', 'x', '5~-1', '~', '5~1e9']) assert.equal(parse(`/c/4?at=${odd}`).at, null);
    assert.equal(format(route({ kind: 'collection', id: 4, at: { id: 81, px: 12 } })), '/c/4?at=81~12');
  });

  it('say in which way an asset is looked at, while it is', () => {
    assert.equal(format(route({ kind: 'collection', id: 4, viewing: 9, mode: 'text' })), '/c/4?v=9&m=text');
    assert.equal(format(route({ kind: 'collection', id: 4, mode: 'text' })), '/c/4');
    assert.equal(parse('/c/4?m=text').mode, '');
    assert.equal(parse('/c/4?v=9&m=%3Cb%3E').mode, '');
  });

  it('ignore what they do not know', () => {
    assert.deepEqual(parse('/c/4?as=cards&sort=colour&type=image,nonsense&i=-1&v=1e9&x=y'), route({ kind: 'collection', id: 4, types: ['image'] }));
    assert.equal(parse('/c/../../etc').kind, 'home');
    assert.equal(parse('/p/').kind, 'home');
    assert.equal(parse('/c/99999999999999999999').kind, 'home');
    assert.equal(parse('/p/5/').id, 5);
  });

  it('say whether rows or places are the same', () => {
    const one = route({ kind: 'collection', id: 4 });
    assert.ok(sameListing(one, { ...one, viewing: 9, details: 8, as: 'list' }));
    assert.ok(!sameListing(one, { ...one, q: 'x' }));
    assert.ok(samePlace(one, { ...one, q: 'x' }));
    assert.ok(!samePlace(one, { ...one, kind: 'project' }));
  });
});
