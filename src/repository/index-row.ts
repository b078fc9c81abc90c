/** id (32), pack's position in the segment's list, frame offset, frame length, offset in the frame's body, plain length (u32 each). */
export const ROW_LENGTH = 52;
