//! The program as a person runs it: the real binary, real files, real vaults, each test in a folder of its own.

mod it {
    mod again;
    mod alone;
    mod choice;
    mod copies;
    mod damage;
    mod docs;
    mod forgers;
    mod harness;
    mod inputs;
    mod interrupts;
    mod json;
    mod names;
    mod processes;
    mod prove;
    mod round_trip;
    mod serve;
    mod versions;
}
