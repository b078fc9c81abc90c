import { openVariants, until } from './variants-rig.ts';

/** A service that is in the middle of making a variant when it says so, and stays there until it is killed. */
const [folder = ''] = process.argv.slice(2);
const rig = await openVariants(folder, { policies: { shop: { small: { kind: 'reduced' } } } });
rig.maker.hold();
await rig.upload('shop', `name,phone\n${'Anna,0151 23456\n'.repeat(200_000)}`);
void rig.get('/download/shop');
await until(() => rig.maker.productions === 1);
process.stdout.write('making\n');
