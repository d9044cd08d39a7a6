// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Writes an image to drives the way Etcher does: one reading for all, then a read-back.
//   node etcher.js SDK-FOLDER IMAGE DRIVE=BYTES...
'use strict';

const [sdk, image, ...drives] = process.argv.slice(2);
const { multiWrite, sourceDestination } = require(sdk);

async function main() {
    const destinations = drives.map((text) => {
        const [device, bytes] = text.split('=');
        const drive = {
            device, raw: device, devicePath: null, description: device, size: Number(bytes), mountpoints: [],
            isReadOnly: false, isRemovable: true, isSystem: false, blockSize: 512, logicalBlockSize: 512,
        };
        return new sourceDestination.BlockDevice({ drive, write: true, direct: true, unmountOnSuccess: false });
    });
    let failed = false;
    await multiWrite.pipeSourceToDestinations({
        source: new sourceDestination.File({ path: image }),
        destinations,
        verify: true,
        onProgress() {},
        onFail(destination, error) {
            failed = true;
            console.error(`${destination.device}: ${error.message}`);
        },
    });
    process.exit(failed ? 1 : 0);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
