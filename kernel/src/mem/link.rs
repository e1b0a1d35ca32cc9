//! `Ref`, what code reads through during one kernel entry, and `Link`, what objects store about each other.

use super::{Entry, PhysAddr};
use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::Deref;

/// A reference to a kernel object, good for one kernel entry `'k`. Two are equal when they name the same object.
#[repr(transparent)]
pub struct Ref<'k, T>(&'k T);

impl<'k, T> Ref<'k, T> {
    /// The object at a physical address.
    ///
    /// # Safety
    /// An object of type `T` lives there (see the invariant in [`crate::mem`]), or memory that Retype has cleared and for which
    /// all zeroes is a valid `T`.
    #[inline(always)]
    pub unsafe fn at(entry: Entry<'k>, physical: PhysAddr) -> Self {
        let address = entry.address(physical);
        // SAFETY: the caller says so; the window maps the address for as long as the kernel runs, and doesn't begin at 0.
        unsafe {
            core::hint::assert_unchecked(address != 0);
            Self(&*core::ptr::with_exposed_provenance::<T>(address))
        }
    }

    /// The same by the place that a capability says, [`Cap::place`](crate::cap::Cap::place).
    ///
    /// # Safety
    /// As for [`Ref::at`].
    #[inline(always)]
    pub unsafe fn reached(entry: Entry<'k>, place: u64) -> Self {
        let address = entry.reached(place);
        // SAFETY: such an object lives there, the caller says, in memory that the window maps as long as the kernel runs, and that isn't at 0.
        unsafe {
            core::hint::assert_unchecked(address != 0);
            Self(&*core::ptr::with_exposed_provenance::<T>(address))
        }
    }

    /// A reference to an object that isn't in the window: part of another one, or of the kernel's own state.
    #[inline(always)]
    pub const fn from(object: &'k T) -> Self {
        Self(object)
    }

    /// The plain reference, with the whole lifetime.
    #[inline(always)]
    pub const fn get(self) -> &'k T {
        self.0
    }

    #[inline(always)]
    pub fn address(self) -> usize {
        core::ptr::from_ref(self.0).expose_provenance()
    }

    #[inline(always)]
    pub fn physical(self, entry: impl Into<Entry<'k>>) -> PhysAddr {
        entry.into().physical(self.address())
    }
}

impl<T> Clone for Ref<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<'_, T> {}

impl<T> PartialEq for Ref<'_, T> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.0, other.0)
    }
}

impl<T> Eq for Ref<'_, T> {}

impl<T> Deref for Ref<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        self.0
    }
}

/// What one object stores about another: nothing, or where it is. Cleared when the other one is deleted.
#[repr(transparent)]
pub struct Link<T>(Cell<usize>, PhantomData<*const T>);

impl<T> Link<T> {
    pub const NONE: Self = Self(Cell::new(0), PhantomData);

    #[inline(always)]
    pub fn get<'k>(&self, entry: impl Into<Entry<'k>>) -> Option<Ref<'k, T>> {
        let _ = entry;
        let object = core::ptr::with_exposed_provenance::<T>(self.0.get());
        // SAFETY: a link that isn't 0 was set from a Ref, and is cleared when its object is deleted, so the object lives (see the
        // invariant in `crate::mem`); the token bounds the reference by this kernel entry.
        unsafe { object.as_ref() }.map(Ref)
    }

    #[inline(always)]
    pub fn set(&self, to: Option<Ref<T>>) {
        self.0.set(to.map_or(0, Ref::address));
    }

    /// For objects that keep a mark beside the address: sets the link to an address that came from [`Ref::address`], or to 0.
    #[inline(always)]
    pub(crate) fn set_word(&self, address: usize) {
        self.0.set(address);
    }

    #[inline(always)]
    pub fn clear(&self) {
        self.0.set(0);
    }

    #[inline(always)]
    pub fn is_none(&self) -> bool {
        self.0.get() == 0
    }

    /// Whether the link names this object.
    #[inline(always)]
    pub fn is(&self, object: Ref<T>) -> bool {
        self.0.get() == object.address()
    }

    /// Empties the link and returns what it named.
    #[inline(always)]
    pub fn take<'k>(&self, entry: impl Into<Entry<'k>>) -> Option<Ref<'k, T>> {
        let object = self.get(entry);
        self.clear();
        object
    }
}
