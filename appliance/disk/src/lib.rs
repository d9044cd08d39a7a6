//! MBR, GPT, FAT32 and boot records as bytes and extents.
