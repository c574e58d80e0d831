//! Files that the service fetches by itself: from object stores, web servers and directories, now or by a schedule.
//!
//! What may be fetched is for the settings to say (`places`), and no way leads to addresses that are not public unless they call it
//! internal (`address`). A file is read in pieces, each of which must be of the same file as the first (`piece`).

pub mod address;
pub mod bucket;
pub mod calendar;
mod desk;
pub mod directory;
pub mod listing;
pub mod piece;
pub mod places;
pub mod reading;
mod scheduling;
pub mod source;
pub mod web;
mod work;

pub use desk::Desk;
pub use work::Pulls;
