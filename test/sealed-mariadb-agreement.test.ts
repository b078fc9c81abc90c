import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ClientAgreement, read } from './client-agreement.ts';
import { MARIADB_SKIP_REASON, MariadbServer } from './mariadb-server.ts';

const SOUPS = Math.ceil(Number(process.env.HOLDFAST_SEAL_CUTS ?? 60) / 5);

describe('the lexer and the client of MariaDB', { skip: MARIADB_SKIP_REASON }, () => {
  let server: MariadbServer;
  let agreement: ClientAgreement;
  before(async () => {
    server = await MariadbServer.start();
    agreement = new ClientAgreement('mariadb', server.options, SOUPS);
  });
  after(() => server?.remove());

  it('see the same statements in any soup of quotes, comments and delimiters', () => agreement.assertSame());

  it('agree, whatever the options of the client, once such a soup is sealed', () => agreement.assertSameSealed());

  it('are not put to it where clients do not agree whether DELIMITER is a command: that is refused', () => {
    const refused = [
      '/* c */ DELIMITER //\n',
      '/* c\n */DELIMITER //\n',
      'SELECT 1; DELIMITER //\n',
      ';DELIMITER //\n',
    ];
    for (const script of [...refused, '/*!*/\nDELIMITER //\n', 'DELIMITER\f//\n', 'DELIMITER\v//\n', 'DELIMITER\r//\n'])
      assert.ok(read(script).isRefused, script);
    for (const script of ['DELIMITER //\n', ' \t\f\v\rDELIMITER\t//\r\n', '/* c */ \n -- c\n DELIMITER //\n']) {
      const { pieces, isRefused } = read(script);
      assert.deepEqual([pieces.at(-1)?.kind, isRefused], ['command', false], script);
    }
  });
});
