//! The tests of the room from outside: the contract of every store, damage, faults, random
//! sequences, the golden file.

mod contract;
mod damage;
mod faults;
mod fixture;
mod golden;
mod local;
mod random;
