// Watches a pool with Xen Orchestra's client and waits for an object to appear.
//
//   node watch.mjs MODULES URL USER PASSWORD TYPE NAME [TRANSPORT]
//
// MODULES: the folder in which `npm install` put xen-api. Prints one JSON line when all objects are known
// ({"connected": .., "objects": n, "types": [..]}), a second one when an object of that type and name_label is
// there, and ends; exit code 1 after 60 seconds without it.

import { pathToFileURL } from 'node:url'

const [modules, url, user, password, type, name, transport = 'auto'] = process.argv.slice(2)
const { createClient } = await import(pathToFileURL(`${modules}/node_modules/xen-api/index.mjs`).href)

const say = value => process.stdout.write(JSON.stringify(value) + '\n')
setTimeout(() => {
  say({ error: `no ${type} called ${name} within 60 s` })
  process.exit(1)
}, 60e3).unref()

const xapi = createClient({ url, auth: { user, password }, transport, watchEvents: true })
await xapi.connect()
await xapi.objectsFetched

const objects = Object.values(xapi.objects.all)
say({ connected: xapi.sessionId !== undefined, objects: objects.length, types: [...new Set(objects.map(_ => _.$type))] })

const wanted = object => object !== undefined && object.$type === type && object.name_label === name
const found =
  objects.find(wanted) ??
  (await new Promise(resolve => {
    const look = changed => {
      const object = Object.values(changed).find(wanted)
      if (object !== undefined) {
        resolve(object)
      }
    }
    xapi.objects.on('add', look)
    xapi.objects.on('update', look)
  }))
say({ found: { uuid: found.uuid, ref: found.$ref, name_label: found.name_label } })
await xapi.disconnect()
process.exit(0)
