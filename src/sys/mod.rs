//! Safe wrappers over the C library. Only this module and `ffi` contain `unsafe`.
//!
//! A function performs one operation of the operating system and returns its result. Decisions belong
//! in the modules above.

mod arc_cell;
mod atomic_box;
mod cancellation;
mod clock;
mod descriptor;
mod fork_gate;
mod generation;
mod inherited_sockets;
mod interrupt;
mod os;
mod per_process;
mod process;
mod socket;
mod thread;

pub use arc_cell::ArcCell;
pub use atomic_box::AtomicBox;
pub use cancellation::disable_cancellation;
pub use clock::BootInstant;
pub use descriptor::open_file;
pub use fork_gate::without_forks;
#[cfg(test)]
pub use generation::run_in_child;
pub use generation::{InCall, generation, was_forked_outside_calls};
pub use interrupt::{
    InterruptCallback, InterruptScope, is_interrupted, run_interrupt, set_interrupt,
};
pub use os::is_privileged;
pub use per_process::PerProcess;
pub use process::{effective_group, effective_user, resolver_problem};
pub use socket::{Interest, Socket, SocketPair, poll};
pub use thread::{reserve_thread_key, spawn_helper, thread_index};
