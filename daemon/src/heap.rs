//! The program's allocator: the system's, and a place of their own for buffers of connections.
//!
//! hyper gives every connection two buffers of 8 KiB, and one that waits for an answer uses a few hundred bytes of one
//! of them. The system's allocator writes its book-keeping beside each, so both occupy memory. Blocks of that size come
//! from regions without anything in between here: a page that nobody wrote to costs nothing, however many wait.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[global_allocator]
static HEAP: Heap = Heap { blocks: Mutex::new(Blocks { regions: Vec::new(), open_from: 0 }) };

/// Size of a connection's buffer, in bytes.
const BLOCK: usize = 8 * 1024;
/// One for each bit of a region's masks.
const REGION: usize = BLOCK * u64::BITS as usize;

/// Returns the memory of free blocks to the system.
pub fn release() {
    HEAP.blocks().release();
}

struct Heap {
    blocks: Mutex<Blocks>,
}

impl Heap {
    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Plain bytes only: what the list of regions allocates for itself must not come back here.
fn is_block(layout: Layout) -> bool {
    layout.size() == BLOCK && layout.align() == 1
}

// SAFETY: whether a block or the system's allocator serves a piece of memory follows from its layout alone, which is
// the same when it is given back. Blocks are disjoint, mapped for good, and handed out to one owner at a time.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_block(layout) {
            return self.blocks().take().unwrap_or(ptr::null_mut());
        }
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if is_block(layout) {
            return self.blocks().give_back(place);
        }
        // SAFETY: as above; this layout did not come from a block.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_block(layout) {
            // SAFETY: as above.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let place = self.blocks().take().unwrap_or(ptr::null_mut());
        if !place.is_null() {
            // SAFETY: a block has this many bytes and was just handed out.
            unsafe { place.write_bytes(0, BLOCK) };
        }
        place
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size` is valid with this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if !is_block(layout) && !is_block(wanted) {
            // SAFETY: as above; neither end is a block.
            return unsafe { System.realloc(place, layout, size) };
        }
        // SAFETY: old and new place do not overlap, and both have as many bytes as are copied.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(place, moved, layout.size().min(size));
                self.dealloc(place, layout);
            }
            moved
        }
    }
}

struct Blocks {
    /// Sorted by address.
    regions: Vec<Region>,
    /// All regions before this one are in full use.
    open_from: usize,
}

struct Region {
    start: usize,
    free: u64,
    /// Handed out since their memory was last returned.
    touched: u64,
}

impl Blocks {
    fn take(&mut self) -> Option<*mut u8> {
        let open = self.regions.iter().skip(self.open_from).position(|region| region.free != 0);
        self.open_from = match open {
            Some(distance) => self.open_from + distance,
            None => self.grow()?,
        };
        let region = self.regions.get_mut(self.open_from)?;
        let slot = region.free.trailing_zeros();
        region.free &= !(1 << slot);
        region.touched |= 1 << slot;
        Some(region.block(slot))
    }

    fn give_back(&mut self, place: *mut u8) {
        let after = self.regions.partition_point(|region| region.start <= place as usize);
        let Some(index) = after.checked_sub(1) else { return };
        if let Some(region) = self.regions.get_mut(index) {
            region.free |= 1 << ((place as usize - region.start) / BLOCK);
            self.open_from = self.open_from.min(index);
        }
    }

    /// Maps one more region and tells its place in the list. Only called when all others are in full use.
    fn grow(&mut self) -> Option<usize> {
        // SAFETY: a new private mapping at an address of the system's choice touches nothing that exists.
        let start = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let start =
                libc::mmap(ptr::null_mut(), REGION, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            if start == libc::MAP_FAILED {
                return None;
            }
            // Huge pages would occupy what is never written to.
            libc::madvise(start, REGION, libc::MADV_NOHUGEPAGE);
            start as usize
        };
        let index = self.regions.partition_point(|region| region.start < start);
        self.regions.insert(index, Region { start, free: u64::MAX, touched: 0 });
        Some(index)
    }

    fn release(&mut self) {
        let pages_fit = page_size() <= BLOCK;
        for region in &mut self.regions {
            let mut idle = region.free & region.touched;
            if region.free == u64::MAX && idle != 0 {
                discard(region.block(0), REGION);
                region.touched = 0;
                continue;
            }
            // A page larger than a block has neighbours in it that may be in use.
            while pages_fit && idle != 0 {
                let slot = idle.trailing_zeros();
                discard(region.block(slot), BLOCK);
                region.touched &= !(1 << slot);
                idle &= !(1 << slot);
            }
        }
    }
}

impl Region {
    fn block(&self, slot: u32) -> *mut u8 {
        (self.start + slot as usize * BLOCK) as *mut u8
    }
}

fn page_size() -> usize {
    // SAFETY: asks for a constant of the system.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(usize::MAX)
}

/// The range must be part of a region and hold free blocks only.
fn discard(start: *mut u8, length: usize) {
    // SAFETY: nobody owns what is discarded, and the lock on the blocks keeps it so.
    unsafe { libc::madvise(start.cast(), length, libc::MADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn blocks_are_apart_and_come_back() {
        let mut blocks = Blocks { regions: Vec::new(), open_from: 0 };
        let taken: Vec<_> = (0..200).map(|_| blocks.take().unwrap()).collect();
        assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 200);
        let mut sorted: Vec<_> = taken.iter().map(|place| *place as usize).collect();
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= BLOCK));
        assert_eq!(blocks.regions.len(), 4);
        taken.iter().rev().for_each(|place| blocks.give_back(*place));
        assert!(blocks.regions.iter().all(|region| region.free == u64::MAX));
        blocks.release();
        assert!(blocks.regions.iter().all(|region| region.touched == 0));
        let again: HashSet<_> = (0..200).map(|_| blocks.take().unwrap()).collect();
        assert_eq!(again.len(), 200);
        assert_eq!(blocks.regions.len(), 4);
    }

    #[test]
    fn a_released_block_in_a_region_that_is_in_use_costs_no_neighbour() {
        let mut blocks = Blocks { regions: Vec::new(), open_from: 0 };
        let (kept, freed) = (blocks.take().unwrap(), blocks.take().unwrap());
        // SAFETY: both blocks are ours and have this many bytes.
        unsafe {
            kept.write_bytes(7, BLOCK);
            freed.write_bytes(9, BLOCK);
        }
        blocks.give_back(freed);
        blocks.release();
        // SAFETY: as above.
        assert!((0..BLOCK).all(|at| unsafe { *kept.add(at) } == 7));
        let again = blocks.take().unwrap();
        assert_eq!(again, freed);
        // SAFETY: as above.
        assert_eq!(unsafe { *again }, 0);
    }

    #[test]
    fn contents_survive_growing_into_and_out_of_a_block() {
        let mut bytes = vec![1u8; 100];
        for capacity in [BLOCK, 3 * BLOCK, BLOCK, 50] {
            let more = capacity.saturating_sub(bytes.len());
            bytes.reserve_exact(more);
            bytes.resize(capacity, 1);
            bytes.shrink_to_fit();
            assert!(bytes.iter().all(|byte| *byte == 1));
            assert_eq!(bytes.len(), capacity);
        }
        assert!(vec![0u8; BLOCK].iter().all(|byte| *byte == 0));
    }
}
