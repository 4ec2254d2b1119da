//! Version 2 of one plugin, to be swapped while events flow: puts `"v":2` into the body.

hookway_guests::tag_body!(2);
