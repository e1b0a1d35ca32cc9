//! Links the guest program at 4 MiB, in pages of 4 KiB: no page belongs to two segments.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo::rustc-link-arg-bins=--image-base=0x400000");
        println!("cargo::rustc-link-arg-bins=-zmax-page-size=4096");
    }
}
