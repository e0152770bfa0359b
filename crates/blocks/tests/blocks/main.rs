//! The tests of the room from outside: the contract of every store, damage, faults, random
//! sequences, packing, the golden files.

mod contract;
mod damage;
mod faults;
mod fixture;
mod golden;
mod local;
mod pack;
mod random;
