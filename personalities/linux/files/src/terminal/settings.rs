//! A terminal's settings (termios(3)) as the kernel's interface lays them out.

/// `struct termios` of TCGETS: four words of flags, the discipline, nineteen special characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub input: u32,
    pub output: u32,
    pub control: u32,
    pub local: u32,
    pub discipline: u8,
    pub characters: [u8; 19],
}

/// `struct winsize`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
    pub width: u16,
    pub height: u16,
}
