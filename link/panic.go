package link

import (
	"fmt"
	"runtime/debug"
)

// panicError is a panic in a driver, or in what a federation or shovel put around one. It ends the session as any other
// fault does: one broken driver takes no other link down.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guard runs f and makes an error of its panic.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}
