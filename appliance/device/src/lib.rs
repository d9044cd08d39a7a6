//! The thin edge to the machine: exclusive open, ioctls, sysfs, udev.
