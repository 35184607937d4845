//! An event on its way through the read models, and what they make of it.

use std::any::Any;
use std::cell::OnceCell;
use std::ops::Deref;

use crate::kernel::event::Recorded;

/// A recorded event that is fed to projections one after the other.
///
/// All of them want it in the types of its room. To read those costs more than to look at them, so
/// it is done for the first projection that asks, and for none if none does.
pub struct FedEvent<'e> {
    recorded: &'e Recorded,
    read: OnceCell<Box<dyn Any>>,
}

impl<'e> FedEvent<'e> {
    /// An event that nobody has read yet.
    #[must_use]
    pub const fn new(recorded: &'e Recorded) -> Self {
        Self { recorded, read: OnceCell::new() }
    }

    /// What `read` makes of the event, now or when it was first asked for. `None` = it was read as
    /// something else first: the projections of a program agree on one type.
    pub fn read_as<T: 'static>(&self, read: fn(&Recorded) -> T) -> Option<&T> {
        self.read.get_or_init(|| Box::new(read(self.recorded))).downcast_ref()
    }
}

impl Deref for FedEvent<'_> {
    type Target = Recorded;

    fn deref(&self) -> &Recorded {
        self.recorded
    }
}
