//! What the launcher and the services agree on: the manifest of services, what to run, and the messages of the host channel.
#![no_std]
