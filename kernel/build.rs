//! Links the bare-metal binary at the kernel's own addresses.

fn main() {
    println!("cargo::rerun-if-changed=link.ld");
    let bare_metal = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    if bare_metal {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        for argument in
            [&format!("-T{folder}/link.ld"), "-znostart-stop-gc", "--no-warn-mismatch", "-zmax-page-size=4096"]
        {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}
