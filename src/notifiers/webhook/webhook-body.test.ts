import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SAMPLE_MESSAGE } from '../../../test/sample-message.ts';
import { webhookBody } from './webhook-body.ts';

const MESSAGE = {
  ...SAMPLE_MESSAGE,
  message: 'The backup of shop failed: <!channel> & more.',
  details: { code: 'disk-full', size: 5n },
};
const TOLD = 'Holdfast on web1: backup failed (shop)\nThe backup of shop failed: <!channel> & more.';

describe('what is posted', () => {
  test('is all of the notification by default', () => {
    const { mediaType, body } = webhookBody('json', { ...MESSAGE, repeated: 3 });
    assert.equal(mediaType, 'application/json');
    assert.deepEqual(JSON.parse(body), { ...MESSAGE, details: { code: 'disk-full', size: '5' }, repeated: 3 });
  });

  test('is an event by CloudEvents 1.0 where that is wanted', () => {
    const { mediaType, body } = webhookBody('cloudevents', MESSAGE);
    assert.equal(mediaType, 'application/cloudevents+json; charset=utf-8');
    const { data, ...context } = JSON.parse(body);
    assert.deepEqual(context, {
      specversion: '1.0',
      id: MESSAGE.id,
      source: '/holdfast/web1',
      type: 'holdfast.backup-failed',
      subject: 'shop',
      time: MESSAGE.at,
      datacontenttype: 'application/json',
    });
    assert.deepEqual(data.message, MESSAGE.message);
  });

  test('calls nobody in a chat by what a message holds', () => {
    const slack = JSON.parse(webhookBody('slack', MESSAGE).body);
    assert.deepEqual(slack, { text: TOLD.replace('<!channel> &', '&lt;!channel&gt; &amp;') });
    const discord = JSON.parse(webhookBody('discord', MESSAGE).body);
    assert.deepEqual(discord, { content: TOLD, allowed_mentions: { parse: [] } });
  });

  test('is a card for Teams whose text is no Markdown, so that nothing in a message becomes a link', () => {
    const message = 'It failed: [the report](https://evil.example) **now**\n\n- <at>all</at> {{DATE(x)}} \\[a\\](b)';
    const { mediaType, body } = webhookBody('teams', { ...MESSAGE, message });
    assert.equal(mediaType, 'application/json');
    const { type, attachments } = JSON.parse(body);
    assert.equal(type, 'message');
    assert.equal(attachments.length, 1);
    const [{ contentType, content }] = attachments;
    assert.deepEqual([contentType, content.type], ['application/vnd.microsoft.card.adaptive', 'AdaptiveCard']);
    const runs = content.body.flatMap((block: { type: string; inlines: { type: string; text: string }[] }) => {
      assert.deepEqual(Object.keys(block), ['type', 'inlines']);
      assert.equal(block.type, 'RichTextBlock');
      return block.inlines;
    });
    for (const run of runs) assert.equal(run.type, 'TextRun');
    assert.deepEqual(
      runs.map((run: { text: string }) => run.text),
      ['Holdfast on web1: backup failed (shop)', ...message.split('\n\n')],
    );
  });

  test('is no larger than Teams takes, whatever it holds', () => {
    for (const filler of ['\u0001', '\n', 'a\n', '\u0001\n', '𝄞', '"\\']) {
      const { body } = webhookBody('teams', { ...MESSAGE, message: filler.repeat(20_000) });
      assert.ok(Buffer.byteLength(body) < 28 * 1024, JSON.stringify(filler));
    }
  });

  test('is text where that is wanted, and says what was held back', () => {
    const { mediaType, body } = webhookBody('text', { ...MESSAGE, repeated: 3 });
    assert.equal(mediaType, 'text/plain; charset=utf-8');
    assert.equal(body, `${TOLD}\nThe same was held back 3 times since it was told last.`);
  });

  test('is no longer than a chat takes, and cuts no character in two', () => {
    for (const shift of ['', 'a', 'ab', 'abc']) {
      const long = { ...MESSAGE, message: shift + '𝄞'.repeat(5000) };
      assert.ok(JSON.parse(webhookBody('discord', long).body).content.length <= 2000);
      const { body } = webhookBody('text', long);
      assert.ok(Buffer.byteLength(body) <= 4000 && body.endsWith('𝄞 …'));
    }
  });
});
