// The worker of the page: the session runs here, so that the page answers while it reads, compiles and trains.
import { SESSION, VIEW } from './protocol.ts';
import { remote, serve } from './remote.ts';
import { Session, type SessionView } from './session.ts';

serve(self, new Session(remote<SessionView>(self, VIEW)), SESSION);
