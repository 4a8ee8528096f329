//! Safe wrappers over the C library. With `ffi` the only home of `unsafe`.
//!
//! Not here: decisions. A function here does one thing to the operating system and says how it went.

mod arc_cell;
mod atomic_box;
mod cancellation;
mod clock;
mod descriptor;
mod fork_gate;
mod generation;
mod inherited;
mod process;
mod socket;
mod thread;

pub use arc_cell::ArcCell;
pub use atomic_box::AtomicBox;
pub use cancellation::hold_off_cancellation;
pub use clock::BootInstant;
pub use descriptor::open_file;
pub use fork_gate::without_forks;
pub use generation::{InCall, PerProcess, generation, was_forked_outside_calls};
pub use process::{is_privileged, why_no_names};
pub use socket::{Interest, Socket, SocketPair, wait};
pub use thread::{spawn_helper, thread_number};
