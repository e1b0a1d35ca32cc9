//! A terminal's settings (termios(3)) as the kernel's interface lays them out.

use linux_raw_sys::general as linux;

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

/// Bytes of the structure of TCGETS.
pub(super) const SIZE: usize = 36;
/// Bytes of the structure of TCGETS2, which adds two speeds.
pub(super) const SIZE_2: usize = 44;

impl Default for Settings {
    /// What `stty sane` shows on Linux: 38400 baud, 8 bits.
    fn default() -> Self {
        let mut characters = [0; 19];
        for (index, character) in [
            (linux::VINTR, 0x03),
            (linux::VQUIT, 0x1c),
            (linux::VERASE, 0x7f),
            (linux::VKILL, 0x15),
            (linux::VEOF, 0x04),
            (linux::VMIN, 1),
            (linux::VSTART, 0x11),
            (linux::VSTOP, 0x13),
            (linux::VSUSP, 0x1a),
            (linux::VREPRINT, 0x12),
            (linux::VDISCARD, 0x0f),
            (linux::VWERASE, 0x17),
            (linux::VLNEXT, 0x16),
        ] {
            characters[index as usize] = character;
        }
        Settings {
            input: linux::ICRNL | linux::IXON,
            output: linux::OPOST | linux::ONLCR,
            control: linux::B38400 | linux::CS8 | linux::CREAD | linux::HUPCL,
            local: linux::ISIG
                | linux::ICANON
                | linux::ECHO
                | linux::ECHOE
                | linux::ECHOK
                | linux::ECHOCTL
                | linux::ECHOKE
                | linux::IEXTEN,
            discipline: 0,
            characters,
        }
    }
}

impl Settings {
    /// Is any of these c_iflag bits on?
    pub(super) fn on_input(&self, flags: u32) -> bool {
        self.input & flags != 0
    }

    /// Is any of these c_oflag bits on?
    pub(super) fn on_output(&self, flags: u32) -> bool {
        self.output & flags != 0
    }

    /// Is any of these c_lflag bits on?
    pub(super) fn on_local(&self, flags: u32) -> bool {
        self.local & flags != 0
    }

    pub(super) fn is_canonical(&self) -> bool {
        self.on_local(linux::ICANON)
    }

    /// VMIN, VTIME: the least number of bytes, and tenths of seconds.
    pub(super) fn minimum(&self) -> usize {
        self.characters[linux::VMIN as usize].into()
    }

    pub(super) fn time(&self) -> u8 {
        self.characters[linux::VTIME as usize]
    }

    /// Is `byte` the special character at `index`? Zero disables one (_POSIX_VDISABLE).
    pub(super) fn is(&self, byte: u8, index: u32) -> bool {
        byte != 0 && self.characters[index as usize] == byte
    }

    /// ^S and ^Q stop and start the output, so that the other side may do it by itself (TIOCPKT_DOSTOP).
    pub(super) fn has_usual_flow_control(&self) -> bool {
        self.on_input(linux::IXON) && self.is(0x13, linux::VSTOP) && self.is(0x11, linux::VSTART)
    }

    pub(super) fn character(&self, index: u32) -> u8 {
        self.characters[index as usize]
    }

    pub(super) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        for (at, word) in [self.input, self.output, self.control, self.local].into_iter().enumerate() {
            bytes[4 * at..4 * at + 4].copy_from_slice(&word.to_le_bytes());
        }
        bytes[16] = self.discipline;
        bytes[17..SIZE].copy_from_slice(&self.characters);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; SIZE]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let mut characters = [0; 19];
        characters.copy_from_slice(&bytes[17..SIZE]);
        Settings {
            input: word(0),
            output: word(4),
            control: word(8),
            local: word(12),
            discipline: bytes[16],
            characters,
        }
    }
}

/// `struct winsize`: in characters, and in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
    pub width: u16,
    pub height: u16,
}

impl WindowSize {
    pub(super) fn encode(&self) -> [u8; 8] {
        let words = [self.rows, self.columns, self.width, self.height].map(u16::to_le_bytes);
        let mut bytes = [0; 8];
        bytes.chunks_exact_mut(2).zip(words).for_each(|(to, word)| to.copy_from_slice(&word));
        bytes
    }

    pub(super) fn decode(bytes: &[u8; 8]) -> Self {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        WindowSize { rows: word(0), columns: word(2), width: word(4), height: word(6) }
    }
}
